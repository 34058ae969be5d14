"""A .tflite in a TFLite interpreter's Python API, shared by the workers of tflite-runtime and LiteRT.

By default the interpreter hands what it can to the XNNPACK delegate. Where that fails, at load or at a run, the model is run by
the interpreter's own kernels instead, and a note says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import tensors
from serving import Answer, Refusal, Request, check_complete, check_input, nanoseconds


class TFLiteModel:
    """A loaded .tflite; each signature is run by its key in the file, or by tensor indices where the file has no SignatureDef."""

    def __init__(self, request: Request, interpreter_class: Callable[..., Any], resolvers: Any) -> None:
        """`interpreter_class` and `resolvers` are the package's `Interpreter` and `OpResolverType`. Raises Refusal."""
        self.note: str | None = None
        self._path, self._bindings = request.path, request.signatures
        self._new: Callable[[Any], Any] = lambda resolver: interpreter_class(model_path=request.path, experimental_op_resolver_type=resolver)
        self._plain = resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        self._runs_plain = False
        try:
            self._interpreter = self._new(resolvers.AUTO)
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            self._explain(error)
            self._fall_back(error)
        self._check_keys()

    def run(self, signature: str, inputs: dict[str, np.ndarray], outputs: list[str]) -> Answer:
        """Run a signature; the outputs are copies, since the interpreter reuses its buffers."""
        binding = self._bindings[signature]
        check_complete(signature, inputs, binding["inputs"])
        details = self._details(binding)
        for name, array in inputs.items():
            detail = details[name]
            check_input(name, array, _datatype(detail["dtype"], name), _free_batch(detail))
        before = self.note
        try:
            results, took = self._call(binding, details, inputs)
        except (RuntimeError, ValueError) as error:
            odd = next((n for n, a in inputs.items() if _other_batch(details[n], a)), None)
            if odd is not None:
                written, asked = _shape(details[odd]), list(inputs[odd].shape)
                self._renew()
                sentence = f"input {odd!r} was written with the shape {written}; this interpreter cannot resize it to {asked}: {_line(error)}"
                raise Refusal("UNIMPLEMENTED", sentence) from error
            if self._runs_plain:
                raise
            self._fall_back(error)
            results, took = self._call(binding, self._details(binding), inputs)
        return Answer({n: np.asarray(results[n]) for n in outputs}, took, None if self.note == before else self.note)

    def _call(self, binding: dict[str, Any], details: dict[str, Any], inputs: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], int]:
        if binding.get("key") is not None:
            runner = self._interpreter.get_signature_runner(binding["key"])
            return nanoseconds(lambda: runner(**inputs))
        interpreter = self._interpreter
        resized = [n for n, a in inputs.items() if list(a.shape) != list(details[n]["shape"])]
        for name in resized:
            interpreter.resize_tensor_input(int(binding["inputs"][name]), inputs[name].shape)
        if resized:
            interpreter.allocate_tensors()
        for name, array in inputs.items():
            interpreter.set_tensor(int(binding["inputs"][name]), array)
        _, took = nanoseconds(interpreter.invoke)
        return {n: interpreter.get_tensor(int(index)) for n, index in binding["outputs"].items()}, took

    def _details(self, binding: dict[str, Any]) -> dict[str, Any]:
        """Each input's details (shape, shape_signature, dtype) by the binding's names."""
        if binding.get("key") is not None:
            details: dict[str, Any] = self._interpreter.get_signature_runner(binding["key"]).get_input_details()
            return details
        by_index = {d["index"]: d for d in self._interpreter.get_input_details()}
        try:
            return {name: by_index[int(index)] for name, index in binding["inputs"].items()}
        except KeyError as error:
            raise Refusal("INVALID_ARGUMENT", f"tensor {error} is no input of the model; its inputs are {sorted(by_index)}") from error

    def _renew(self) -> None:
        """A fresh interpreter: after a refused resize the old one has no memory allocated for its tensors."""
        self._interpreter = self._new(self._plain) if self._runs_plain else self._new(type(self._plain).AUTO)
        self._interpreter.allocate_tensors()

    def _fall_back(self, cause: Exception) -> None:
        """Load again without XNNPACK; raises what the interpreter's own kernels raise."""
        self._runs_plain = True
        self._renew()
        self.note = f"run by the interpreter's own kernels: with its default delegate (XNNPACK) it failed ({_line(cause)})"

    def _check_keys(self) -> None:
        held = self._interpreter.get_signature_list()
        for name, binding in self._bindings.items():
            if binding.get("key") is not None and binding["key"] not in held:
                raise Refusal("NOT_FOUND", f"{self._path} has no signature {binding['key']!r} (for {name!r}); it has: {', '.join(held) or 'none'}")

    def _explain(self, error: Exception) -> None:
        """Raise Refusal (UNIMPLEMENTED) where the cause is an op that no resolver of this interpreter has."""
        text = str(error)
        if "Select TensorFlow op" in text or "Flex delegate" in text:
            flex = sorted({d["op_name"] for d in self._interpreter._get_ops_details() if d["op_name"].startswith("Flex")})
            raise Refusal("UNIMPLEMENTED", f"{self._path} needs Flex (Select TF) ops, which this interpreter does not have: {', '.join(flex)}") from error
        if found := re.search(r"unresolved custom op: ([^\n]+?)\.?(?:See|\n|$)", text):
            raise Refusal("UNIMPLEMENTED", f"{self._path} needs the custom op {found[1]}, which this interpreter does not have") from error
        if "for opcode" in text or "op version" in text.lower():
            raise Refusal("UNIMPLEMENTED", f"{self._path} needs an op or op version that this interpreter does not have: {_line(error)}") from error


def _datatype(dtype: type, name: str) -> str:
    try:
        return tensors.datatype_of(dtype)
    except (ValueError, TypeError) as error:
        raise Refusal("UNIMPLEMENTED", f"this interpreter's Python API cannot carry input {name!r}: {dtype}") from error


def _shape(detail: dict[str, Any]) -> list[int]:
    """The shape in the file: -1 where a dimension is free."""
    signature = detail["shape_signature"]
    return [int(d) for d in (signature if len(signature) else detail["shape"])]


def _free_batch(detail: dict[str, Any]) -> list[int] | None:
    """The shapes worth trying: also another batch than the one written down, which kernels often can take; rank 0 may be unknown rank."""
    shape = _shape(detail)
    return [-1, *shape[1:]] if shape else None


def _other_batch(detail: dict[str, Any], array: np.ndarray) -> bool:
    shape = _shape(detail)
    return not shape and array.ndim > 0 or bool(shape) and shape[0] not in (-1, array.shape[0])


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
