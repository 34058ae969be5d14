#!/bin/bash
# Makes a bundle, runs the job on it, and then on what must fail: an agreement nobody reaches, and a changed file.
set -euo pipefail
export TF_CPP_MIN_LOG_LEVEL=2 # TensorFlow: errors and warnings only

expect() { # expect STATUS COMMAND…: fails unless the command ends with that exit status
  local status=0
  "${@:2}" || status=$?
  echo "exit status $status: ${*:2}"
  [ "$status" = "$1" ]
}

crossload export model.py:model -o bicycles --formats saved_model,tflite --overwrite

# All compared and agreed: 0. The reports are written in any case.
expect 0 ./ci.sh bicycles reports
python3 -c 'import json; print("by outcome:", json.load(open("reports/crossload.json"))["summary"])'
grep -o '<testsuite [^>]*>' reports/crossload.xml

# LiteRT adds in another order than TensorFlow: bitwise equality is too much to ask, and the status is 1.
expect 1 ./ci.sh bicycles strict --agreement identical

# Only what failed, again, as it was asked for: the status is 1 until it is mended.
expect 1 crossload verify --from strict/crossload.json

# A changed file is no longer what was exported: nothing of it is loaded, and the status is 2.
rm -rf tampered
cp -r bicycles tampered
printf 'x' >>tampered/model.tflite
expect 2 ./ci.sh tampered refused
