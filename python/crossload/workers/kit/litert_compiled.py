"""A .tflite in LiteRT's CompiledModel API on the CPU: the successor of the Interpreter, and the way to accelerators.

The API carries nine datatypes, runs signatures alone (it makes one for a file that has none), and cannot reset a model: without
`keep_state`, a model with variable tensors is compiled anew for each call. It runs the shape that a model was written with: after
`resize_input_tensor`, release 2.3 still makes output buffers of the old shape, and the run fails or writes beyond them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.environment import Environment
from ai_edge_litert.tensor_buffer import TensorBuffer

from . import printed, tensors, tflite_interpreter
from .serving import Answer, Refusal, Request, Server, check_complete, check_input, nanoseconds

# LiteRT's key for the first subgraph of a file without signatures (litert/core/model/model.h, kDefaultSignatureKey).
_DEFAULT_KEY = "<placeholder signature>"
_API = "LiteRT's CompiledModel API"


class CompiledFile:
    """A compiled .tflite; a signature is run by its key, the first subgraph by the names of its tensors."""

    note: str | None = None

    def __init__(self, request: Request, environment: Environment) -> None:
        """Raises Refusal: UNIMPLEMENTED for an op that LiteRT does not have, NOT_FOUND for an unknown key."""
        self._path, self._bindings = request.path, request.signatures
        content = schema.ModelT.InitFromPackedBuf(Path(request.path).read_bytes(), 0)
        # As the Interpreter's reset, which leaves resource variables (VAR_HANDLE) their values.
        self._anew = not request.keep_state and any(t.isVariable for graph in content.subgraphs or [] for t in graph.tensors or [])
        self._ops = [(code.customCode or b"").decode(errors="replace") for code in content.operatorCodes or []]
        self._compile: Callable[[], CompiledModel] = partial(CompiledModel.from_file, request.path, environment=environment)
        self._model = self._explained(self._compile)
        held = self._model.get_signature_list()
        for name, binding in self._bindings.items():
            if (key := binding.get("key")) is not None and key not in held:
                there = ", ".join(k for k in held if k != _DEFAULT_KEY) or "none"
                raise Refusal("NOT_FOUND", f"{self._path} has no signature {key!r} (for {name!r}); it has: {there}")
        # Read once: it allocates anew, which also resets the variables.
        self._details = {_key(b): self._explained(partial(self._described, _key(b))) for b in self._bindings.values()}
        self._buffers: dict[str, tuple[dict[str, TensorBuffer], dict[str, TensorBuffer]]] = {}

    def run(self, signature: str, inputs: dict[str, np.ndarray], outputs: list[str]) -> Answer:
        """Run a signature once."""
        if self._anew:
            self._model, self._buffers = self._compile(), {}
        binding = self._bindings[signature]
        check_complete(signature, inputs, binding["inputs"])
        key = _key(binding)
        takes, gives = self._details[key]
        own = _own_names(binding["inputs"], takes) | _own_names(binding["outputs"], gives)
        for name, array in inputs.items():
            detail = takes[own[name]]
            check_input(name, array, _datatype(detail, name), [-1, *detail["shape"][1:]] if detail["shape"] else None)
            if (written := list(detail["shape"])) != list(array.shape):
                sentence = (
                    f"{_API} runs the shape the model was written with, {written}; this vector has {list(array.shape)} (input {name!r})"
                )
                raise Refusal("UNIMPLEMENTED", sentence)
        for name in outputs:
            _datatype(gives[own[name]], name)
        results, took = self._explained(lambda: self._call(key, {own[n]: a for n, a in inputs.items()}))
        return Answer({name: results[own[name]] for name in outputs}, took)

    def _described(self, key: str) -> tuple[dict[str, Any], dict[str, Any]]:
        return self._model.get_input_tensor_details(key), self._model.get_output_tensor_details(key)

    def _call(self, key: str, inputs: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], int]:
        model = self._model
        if key not in self._buffers:  # other buffers at the next call would reset the variables
            outputs = model.get_signature_list()[key]["outputs"]
            self._buffers[key] = (
                {name: model.create_input_buffer_by_name(key, name) for name in inputs},
                {name: model.create_output_buffer_by_name(key, name) for name in outputs},
            )
        given, gives = self._buffers[key]
        for name, array in inputs.items():
            given[name].write(array)
        _, took = nanoseconds(lambda: model.run_by_name(key, given, gives))
        found = {}
        for name, buffer in gives.items():
            detail = buffer.get_tensor_details()
            shape = [int(d) for d in detail["shape"]]
            found[name] = buffer.read(int(np.prod(shape)), np.dtype(detail["dtype"])).reshape(shape)
        return found, took

    def _explained(self, call: Callable[[], Any]) -> Any:
        """The call's result; on failure, a Refusal with the cause, which LiteRT prints and does not raise."""
        try:
            return call()
        except (RuntimeError, ValueError) as error:
            said = printed.of_failure(call)
            causes = [line.removeprefix("ERROR: ").strip() for line in said.splitlines() if line.startswith("ERROR: ") and "[" not in line]
            if refusal := tflite_interpreter.missing(self._path, self._ops, said):
                raise refusal from error
            cause = "; ".join(causes) or " ".join(str(error).split())
            raise Refusal("INTERNAL", f"{_API} cannot run {self._path}: {cause[:400]}") from error


def _key(binding: dict[str, Any]) -> str:
    return _DEFAULT_KEY if binding.get("key") is None else str(binding["key"])


def _own_names(binding: dict[str, Any], details: dict[str, Any]) -> dict[str, str]:
    """The API's name for each of the binding's: the signature's own, or that of the tensor with this index."""
    by_index = {detail["index"]: name for name, detail in details.items()}
    return {name: name if name in details else by_index[int(index)] for name, index in binding.items()}


def _datatype(detail: dict[str, Any], name: str) -> str:
    try:
        return tensors.datatype_of(np.dtype(detail["dtype"]))
    except TypeError as error:
        raise Refusal("UNIMPLEMENTED", f"{_API} cannot carry the datatype of {name!r}") from error


def serve(release: str) -> None:
    """Serve LiteRT's CompiledModel API on the CPU with one thread."""
    environment = Environment.create()
    parameters = {"native": f"LiteRT {release}", "threads": 1, "delegate": "XNNPACK, where it takes the model"}
    Server("litert+compiled", release, ["tflite"], lambda request: CompiledFile(request, environment), parameters).serve()
