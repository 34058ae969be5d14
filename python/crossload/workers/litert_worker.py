# /// script
# requires-python = ">=3.10,<3.14"
# dependencies = ["ai-edge-litert==2.3.0", "ml-dtypes==0.6.0"]
# ///
"""The runtime `litert`: ai-edge-litert, the interpreter that succeeds TensorFlow Lite's on phones and desktops.

With --compiled, its CompiledModel API instead of its Interpreter.
"""

from kit import wire

wire.own_streams()  # before anything that may print is imported

import importlib.metadata  # noqa: E402
import sys  # noqa: E402

from ai_edge_litert.interpreter import Interpreter, OpResolverType  # noqa: E402
from kit import litert_profiler, tflite_interpreter  # noqa: E402

if __name__ == "__main__":
    release = importlib.metadata.version("ai-edge-litert")
    if "--compiled" in sys.argv:
        from kit import litert_compiled

        litert_compiled.serve(release)
    else:
        tflite_interpreter.serve("litert", release, f"LiteRT {release}", Interpreter, OpResolverType, litert_profiler.TimedModel)
