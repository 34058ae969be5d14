# /// script
# requires-python = ">=3.10,<3.14"
# dependencies = ["tensorflow-cpu==2.21.0"]
# ///
"""The runtime `tensorflow+python`: TensorFlow as Python users load it: SavedModels, graphs, and Keras files, which need Keras.

`tf.saved_model.load` loads a SavedModel. If it refuses the model or a signature's function does not take the signature's inputs,
TensorFlow 1's loader runs the graph in a session by its tensors' names, and a note says so; with `loader` "function" it is refused.
"""

import os
import sys

from kit import wire

wire.own_streams()  # before anything that may print is imported
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")

from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from kit import graph_defs, tf_graphs  # noqa: E402
from kit.graph_defs import Input, refusal, telling_line  # noqa: E402
from kit.serving import Answer, Model, Refusal, Request, Server  # noqa: E402
from tensorflow.python.client import pywrap_tf_session  # noqa: E402
from tensorflow.python.util import _pywrap_util_port  # noqa: E402

# tf.errors uses google.rpc's numbers.
CODES = {number: name for name, number in vars(tf.errors).items() if name.isupper() and isinstance(number, int)}
FORMATS = ["saved_model", "graph_def", "checkpoint", "meta_graph", "keras", "keras_h5"]
SESSION_LOADER = "tf.compat.v1.saved_model.loader"


class SavedModel:
    """A SavedModel's signatures as functions, or, after a fall-back, as tensors in a session."""

    def __init__(self, request: Request) -> None:
        """Raises Refusal if neither loader loads it."""
        self.note: str | None = None
        self._request = request
        self._session: tf_graphs.SessionModel | None = None
        self._functions: dict[str, tuple[Any, dict[str, Input], dict[str, str]]] = {}
        self._asked = request.options.get("loader") == "function"
        by_tensors = any(binding.get("key") is None for binding in request.signatures.values())
        if by_tensors and self._asked:
            raise Refusal("INVALID_ARGUMENT", f"--loader function calls signatures, and these are tensors; {_LEAVE_OUT}")
        if by_tensors or request.options.get("loader") == "session":
            self._session = self._open_session()
            self.note = f"loaded by {SESSION_LOADER}: run by the names of its tensors"
            return
        try:
            self._loaded = tf.saved_model.load(request.path, tags=request.tags)
            self._functions = {name: self._function(name, binding) for name, binding in request.signatures.items()}
        except Exception as error:
            reason = str(error) if isinstance(error, _Unfit) else f"tf.saved_model.load refused it ({telling_line(error)})"
            if self._asked:
                raise Refusal("INTERNAL", f"{request.path} cannot be loaded: {reason}; {_LEAVE_OUT}") from error
            try:
                self._session = self._open_session()
            except Refusal:
                raise
            except Exception as second:
                sentence = f"{request.path} cannot be loaded: {telling_line(error)} (TensorFlow 1's loader: {telling_line(second)})"
                raise Refusal("INTERNAL", sentence) from second
            self.note = f"loaded by {SESSION_LOADER}: {reason}"

    def run(self, signature: str, inputs: dict[str, np.ndarray], outputs: list[str]) -> Answer:
        """Run a signature."""
        if self._session is not None:
            return self._session.run(signature, inputs, outputs)
        try:
            return self._run_function(signature, inputs, outputs)
        except tf.errors.OpError as error:
            if self._asked or not hasattr(self._loaded, "prune"):  # a SavedModel of TensorFlow 1 has it: its wrapped graph
                raise
            try:
                session = self._open_session()
                answer = session.run(signature, inputs, outputs)
            except Exception:  # noqa: BLE001 - then the cause is the model or the request
                raise error from None
            self._session, self._functions, self._loaded = session, {}, None
            self.note = answer.note = f"run by {SESSION_LOADER}: as a function it failed ({telling_line(error)})"
            return answer

    def _run_function(self, signature: str, inputs: dict[str, np.ndarray], outputs: list[str]) -> Answer:
        function, takes, arguments = self._functions[signature]
        return tf_graphs.call(function, signature, takes, inputs, outputs, arguments)

    def _function(self, name: str, binding: dict[str, Any]) -> tuple[Any, dict[str, Input], dict[str, str]]:
        """A signature's function, what its inputs take, and the function's own names of them. Raises _Unfit."""
        function = self._loaded.signatures[binding["key"]]
        takes, gives = function.structured_input_signature[1], set(function.structured_outputs)
        arguments = tf_graphs.arguments_of(takes, binding["inputs"])
        if arguments is None or not gives >= set(binding["outputs"]):
            raise _Unfit(f"signature {name!r} as a function has other names ({', '.join(sorted(takes))} → {', '.join(sorted(gives))})")
        return function, {n: tf_graphs.input_of(takes[own]) for n, own in arguments.items()}, arguments

    def _open_session(self) -> tf_graphs.SessionModel:
        """The same signatures by TensorFlow 1's loader; raises Refusal (NOT_FOUND) for a key that the SavedModel does not have."""
        request, session = self._request, tf_graphs.new_session()
        with session.graph.as_default():
            meta_graph = tf.compat.v1.saved_model.loader.load(session, request.tags or [], request.path, clear_devices=True)
        keys = {binding["key"] for binding in request.signatures.values() if binding.get("key") is not None}
        if unknown := sorted(keys - set(meta_graph.signature_def)):
            there = ", ".join(sorted(meta_graph.signature_def)) or "none"
            raise Refusal("NOT_FOUND", f"{request.path} has no signature {', '.join(unknown)}; it has: {there}")
        return tf_graphs.SessionModel(session, request.signatures)


_LEAVE_OUT = "leave out --loader, or give --loader session"


class _Unfit(Exception):
    """A signature function whose names are not the signature's."""


def load(request: Request) -> Model:
    """Load any of the formats; raises Refusal."""
    graph_defs.load_op_libraries(request.options.get("op_libraries", ()), tf.load_op_library, tf.__version__)
    if request.format == "saved_model" and request.options.get("loader") != "keras":
        return SavedModel(request)
    if request.format == "graph_def":
        return tf_graphs.load_graph_def(request)
    if request.format in ("checkpoint", "meta_graph"):
        return tf_graphs.load_meta_graph(request)
    from kit import keras_model  # Keras takes seconds to import, and most models do not need it

    return keras_model.KerasLayer(request) if request.format == "saved_model" else keras_model.KerasModel(request)


def explain(error: Exception) -> Refusal | None:
    """TensorFlow's errors with their own code and the line of their message that names the cause."""
    if not isinstance(error, tf.errors.OpError):
        return None
    return refusal(CODES.get(error.error_code, "UNKNOWN"), str(error))


def registered_ops() -> bytes:
    """A serialised tensorflow.OpList of this TensorFlow's ops (TF_GetAllOpList of the C API)."""
    ops: bytes = pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList())
    return ops


def serve() -> None:
    """Serve this interpreter's TensorFlow; with --lite, its own TFLite interpreter as the runtime `tensorflow+lite`."""
    if "--lite" in sys.argv:
        from kit import tflite_interpreter

        # TensorFlow's wheel registers the Flex delegate with its interpreter, which a phone has only with select-tf-ops.
        resolvers = tf.lite.experimental.OpResolverType
        tflite_interpreter.serve("tensorflow+lite", tf.__version__, f"TensorFlow {tf.__version__}", tf.lite.Interpreter, resolvers)
        return
    tf.config.set_soft_device_placement(True)
    parameters = {
        "native": f"TensorFlow {tf.__version__}",
        "threads": tf.config.threading.get_intra_op_parallelism_threads() or os.cpu_count(),
        "onednn": bool(_pywrap_util_port.IsMklEnabled()),
    }
    Server("tensorflow+python", tf.__version__, FORMATS, load, parameters, registered_ops, explain).serve()


if __name__ == "__main__":
    serve()
