# /// script
# requires-python = ">=3.10,<3.14"
# dependencies = ["ai-edge-litert==2.3.0", "ml-dtypes==0.6.0"]
# ///
"""The runtime `litert`: ai-edge-litert, the interpreter that succeeds TensorFlow Lite's on phones and desktops."""

from kit import wire

wire.own_streams()  # before anything that may print is imported

import importlib.metadata  # noqa: E402

from ai_edge_litert.interpreter import Interpreter, OpResolverType  # noqa: E402
from kit.serving import Server  # noqa: E402
from kit.tflite_interpreter import TFLiteModel  # noqa: E402

if __name__ == "__main__":
    release = importlib.metadata.version("ai-edge-litert")
    parameters = {"native": f"LiteRT {release}", "threads": 1, "delegate": "XNNPACK, where it takes the model"}
    parameters["options"] = ["kernels"]
    Server("litert", release, ["tflite"], lambda request: TFLiteModel(request, Interpreter, OpResolverType), parameters).serve()
