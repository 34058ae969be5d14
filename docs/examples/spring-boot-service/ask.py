"""Asks the service on port $1 for its health and about one message, and compares its answer with that of `crossload run` (answer.npz)."""

import json
import sys
import urllib.request

import numpy as np

service = f"http://127.0.0.1:{sys.argv[1]}"
with urllib.request.urlopen(f"{service}/actuator/health", timeout=60) as response:
    model = json.load(response)["components"]["model"]
print(f"the model is {model['status']}: {model['details']}")
request = urllib.request.Request(f"{service}/spam", b"[[11, 3, 5, 30]]", {"Content-Type": "application/json"})
with urllib.request.urlopen(request, timeout=60) as response:
    answer = np.float32(json.load(response)[0])
with np.load("answer.npz") as stored:
    crossload = np.float32(stored["spam"].item())
print(f"the service answers {answer}, crossload run {crossload}")
sys.exit(0 if abs(answer - crossload) <= 1e-6 else "the answers differ")
