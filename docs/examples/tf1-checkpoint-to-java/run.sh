#!/bin/bash
# From a checkpoint of TensorFlow 1 to Java: train, look, freeze, run in TensorFlow Java, hand over, test, call.
set -euo pipefail
export TF_CPP_MIN_LOG_LEVEL=2 # TensorFlow: errors and warnings only

# The training job of years ago. All that follows needs only checkpoint/ and reviews.npz.
crossload export model.py:train -o training --formats saved_model --overwrite

crossload show checkpoint/model.ckpt-200
crossload convert checkpoint/model.ckpt-200 frozen.pb --overwrite \
  --input-tensor input_ids --input-tensor input_mask --input-tensor segment_ids --output-tensor probabilities \
  --input-file reviews.npz

# "the film was brilliant", in TensorFlow Java; the ids are line numbers of vocabulary.txt, from 0.
crossload run frozen.pb --runtime tensorflow-java \
  --input 'input_ids=[[3, 5, 9, 16, 0, 0, 0, 0]]' --input 'input_mask=[[1, 1, 1, 1, 0, 0, 0, 0]]' --input 'segment_ids=zeros([1, 8])'

crossload export frozen.pb -o reviews --input-file reviews.npz --overwrite
crossload handoff reviews --to java -o reviews-java --overwrite
cp Classify.java reviews-java/client/src/main/java/com/example/reviews/
mvn -B -ntp -q -f reviews-java test
grep -h '^Tests run' reviews-java/client/target/surefire-reports/*.txt

# The same review, from words, through the typed client.
mvn -B -ntp -q -f reviews-java exec:java -Dexec.mainClass=com.example.reviews.Classify \
  -Dexec.args="reviews-java/model vocabulary.txt the film was brilliant"
