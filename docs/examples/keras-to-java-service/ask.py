"""Asks the service on port $1 about one pump and compares its answer with that of `crossload run` (answer.npz)."""

import sys
import urllib.request

import numpy as np

request = urllib.request.Request(f"http://127.0.0.1:{sys.argv[1]}/worn", data=sys.argv[2].encode())
with urllib.request.urlopen(request, timeout=60) as response:
    service = np.float32(response.read())
with np.load("answer.npz") as answer:
    crossload = answer["worn"].item()
print(f"the service answers {service}, crossload run {np.float32(crossload)}")
sys.exit(0 if abs(service - crossload) <= 1e-6 else "the answers differ")
