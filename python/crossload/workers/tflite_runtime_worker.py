# /// script
# requires-python = ">=3.10,<3.12"
# dependencies = ["tflite-runtime==2.14.0", "numpy==1.26.4", "ml-dtypes==0.4.1"]
# ///
"""The runtime `tflite-runtime`: the last release of TensorFlow Lite's own interpreter package (NumPy 1, Python up to 3.11)."""

from kit import wire

wire.own_streams()  # before anything that may print is imported

import importlib.metadata  # noqa: E402

from kit import tflite_interpreter  # noqa: E402
from tflite_runtime.interpreter import Interpreter, OpResolverType  # noqa: E402

if __name__ == "__main__":
    release = importlib.metadata.version("tflite-runtime")
    tflite_interpreter.serve("tflite-runtime", release, f"TensorFlow Lite {release}", Interpreter, OpResolverType)
