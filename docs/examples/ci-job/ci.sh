#!/bin/bash
# The job, for any CI: ci.sh BUNDLE REPORTS [options of crossload verify]. Its exit status is that of crossload.
set -euo pipefail
bundle=$1 reports=$2
shift 2
mkdir -p "$reports"
crossload verify "$bundle" --runtime tensorflow,tensorflow-java,litert \
  --json "$reports/crossload.json" --junit "$reports/crossload.xml" "$@"
