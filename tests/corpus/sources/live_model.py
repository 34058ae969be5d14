# /// script
# requires-python = ">=3.10,<3.14"
# dependencies = [
#   "tensorflow-cpu==2.21.0",
#   "filelock", "google-crc32c", "h5py", "ml-dtypes", "packaging", "platformdirs", "protobuf", "psutil", "rich",
#   "tflite", "uv",
# ]
# ///
"""The README's Python: exports, verifies and loads a live Keras model, in one process with TensorFlow."""

import json
import sys

import keras
import numpy as np

import crossload


def main() -> None:
    keras.utils.set_random_seed(0)
    x = keras.Input((3,), name="x")
    model = keras.Model(x, keras.layers.Dense(2, name="y")(x))
    bundle = crossload.export(model, sys.argv[1], formats=["saved_model", "tflite"], requests=crossload.Requests(count=2))
    report = crossload.verify(sys.argv[1], runtimes=["litert"])
    with crossload.load(sys.argv[1], runtime="litert") as loaded:
        answer = loaded.signatures["serving_default"](x=np.float32([[1, 2, 3]]))["y"]
    expected = model(np.float32([[1, 2, 3]])).numpy()
    ids = [a.id for a in bundle.manifest.artifacts]
    print(json.dumps({"artifacts": ids, "exit_status": report.exit_status, "difference": float(abs(answer - expected).max())}))


if __name__ == "__main__":
    main()
