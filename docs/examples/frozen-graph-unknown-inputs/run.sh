#!/bin/bash
# A frozen graph whose inputs and outputs nobody knows: rank the likely ones, name them, and prove the result.
set -euo pipefail
export TF_CPP_MIN_LOG_LEVEL=2 # TensorFlow: errors and warnings only

# The author of years ago. All that follows needs only unknown.pb.
crossload export model.py:freeze -o original --formats saved_model --overwrite

crossload show unknown.pb
crossload show unknown.pb --nodes Softmax

# A misspelt tensor is refused (exit status 2), with the near ones.
status=0
crossload convert unknown.pb named.pb --output-tensor scores=Sofmax:0 || status=$?
[ "$status" = 2 ]

crossload convert unknown.pb named.pb --input-tensor flower=Placeholder:0 --output-tensor scores=Softmax:0 --overwrite

# From here on the names are known: named.pb.crossload.json beside the graph holds them.
crossload run named.pb --input 'flower=[[5.1, 3.5, 1.4, 0.2]]'
crossload verify named.pb --runtime tensorflow,tensorflow-java
