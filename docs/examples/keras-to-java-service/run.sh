#!/bin/bash
# From a Keras model to a Java service: train, export, hand over, test, serve, and compare one answer.
set -euo pipefail
export TF_CPP_MIN_LOG_LEVEL=2 # TensorFlow: errors and warnings only

crossload export model.py:model -o pump --formats saved_model --overwrite
crossload handoff pump --to java -o pump-java --overwrite

# The handoff's own tests answer every recorded request again; then the service is built.
mvn -B -ntp -q package
grep -h '^Tests run' pump-java/client/target/surefire-reports/*.txt

# One pump, asked with crossload in the same runtime.
crossload run pump --runtime tensorflow-java --input 'vibration=[[3.1, 2.5, 2.4]]' --input 'temperature=[[66]]' \
  --output-file answer.npz --overwrite

# The same pump, asked over HTTP. The service takes a free port and prints it.
java --enable-native-access=ALL-UNNAMED -jar service/target/pump-service.jar pump-java/model >service.log 2>service.err &
service=$!
trap 'kill "$service"' EXIT
until port=$(grep -oP 'listening on port \K\d+' service.log); do
  kill -0 "$service" || { cat service.err; exit 1; }
  sleep 0.2
done
python3 ask.py "$port" 3.1,2.5,2.4,66
