#!/bin/bash
# One .tflite in three interpreters, with inputs of our own.
set -euo pipefail
export TF_CPP_MIN_LOG_LEVEL=2 # TensorFlow: errors and warnings only

# The training job: it leaves a SavedModel, and three recorded gestures in own/.
crossload export model.py:model -o trained --formats saved_model --overwrite

# A microcontroller takes one request at a time: the batch is fixed at 1.
crossload convert trained/saved_model gestures.tflite --shape acceleration=1,32,1,1 --overwrite \
  --input-file own/1.npz --input-file own/2.npz --input-file own/3.npz
crossload show gestures.tflite

# LiteRT records the answers of a .tflite that stands alone; every interpreter is compared with them.
# --count 1: one random request beside our own.
crossload verify gestures.tflite --runtime litert,tflite-runtime,tflite-micro --count 1 \
  --input-file own/1.npz --input-file own/2.npz --input-file own/3.npz

# One gesture in the interpreter of the microcontroller.
crossload run gestures.tflite --runtime tflite-micro --input-file own/1.npz
