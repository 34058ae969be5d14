"""A .tflite in a TFLite interpreter's Python API, shared by the workers of tflite-runtime, LiteRT and TensorFlow's own interpreter.

By default the interpreter delegates what it can to XNNPACK. If that fails, at load or at a run, the interpreter's own
kernels run the model instead, and a note says so. With the load option `kernels` "reference", TensorFlow Lite's plain reference kernels
run it, which need no delegate and define what its operators compute; with `num_threads`, so many threads compute an operator, instead
of one. The worker's argument `--kernels` chooses for all models: "reference", "builtin" (the interpreter's own kernels, no delegate) or
"xnnpack" (the delegate, and no other kernels where it fails).
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import tensors
from .serving import OPERATOR_TIMES, Answer, Model, Refusal, Request, Server, check_complete, check_input, nanoseconds

_DELEGATES = {
    "": "XNNPACK, where it takes the model",
    "xnnpack": "XNNPACK, where it takes the model, and no fall-back",
    "builtin": "none: the interpreter's own kernels",
    "reference": "none: the reference kernels",
}


@dataclass(frozen=True)
class Variant:
    """How an interpreter runs: by which kernels ("" for its default, with a fall-back), on how many threads."""

    kernels: str = ""
    threads: int = 1


def variant() -> Variant:
    """The variant that the worker's arguments name."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kernels", choices=sorted(_DELEGATES), default="")
    parser.add_argument("--threads", type=int, default=1)
    given, _ = parser.parse_known_args()
    return Variant(given.kernels, given.threads)


Wrap = Callable[[Model, Request, str, int], Model]


def serve(name: str, release: str, native: str, interpreter_class: Callable[..., Any], resolvers: Any, timed: Wrap | None = None) -> None:
    """Serve a package's `Interpreter` with its `OpResolverType`, as the variant that the worker's arguments name.

    `timed` makes a loaded model tell the time of each operator, where the package can; it is given the kernels and the number of threads.
    """
    chosen = variant()
    parts = [chosen.kernels, f"threads{chosen.threads}" if chosen.threads > 1 else ""]
    parameters = {"native": native, "threads": chosen.threads, "delegate": _DELEGATES[chosen.kernels]}
    # A variant keeps its own kernels and threads.
    taken = {"kernels": not chosen.kernels, "num_threads": chosen.threads == 1, OPERATOR_TIMES: timed is not None}

    def load(request: Request) -> Model:
        model = TFLiteModel(request, interpreter_class, resolvers, chosen)
        if timed and request.options.get(OPERATOR_TIMES):
            kernels, threads = chosen.kernels or request.options.get("kernels", ""), request.options.get("num_threads") or chosen.threads
            return timed(model, request, kernels, threads)
        return model

    title = "+".join(filter(None, [name, *parts]))
    options = [option for option, takes in taken.items() if takes]
    Server(title, release, ["tflite"], load, {**parameters, "options": options}).serve()


class TFLiteModel:
    """A loaded .tflite; each signature is run by its key in the file, or by tensor indices where the file has no SignatureDef."""

    def __init__(self, request: Request, interpreter_class: Callable[..., Any], resolvers: Any, variant: Variant) -> None:
        """`interpreter_class` and `resolvers` are the package's `Interpreter` and `OpResolverType`.

        Raises Refusal: UNIMPLEMENTED for an op that the interpreter does not have, NOT_FOUND for an unknown key.
        """
        self.note: str | None = None
        self._runners: dict[str, Any] = {}
        self._path, self._bindings, self._keep_state = request.path, request.signatures, request.keep_state
        self._class, self._resolver, self._plain = interpreter_class, resolvers.AUTO, resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        kernels = variant.kernels or request.options.get("kernels")
        self._threads = request.options.get("num_threads") or variant.threads
        if kernels == "reference":
            self._resolver = self._plain = resolvers.BUILTIN_REF
        elif kernels == "builtin":
            self._resolver = self._plain
        elif kernels == "xnnpack":
            self._plain = self._resolver
        try:
            self._interpreter = self._new()
        except (RuntimeError, ValueError) as error:
            self._fall_back(error, lambda: None)
        held = self._interpreter.get_signature_list()
        for name, binding in self._bindings.items():
            if binding.get("key") is not None and binding["key"] not in held:
                there = ", ".join(held) or "none"
                raise Refusal("NOT_FOUND", f"{self._path} has no signature {binding['key']!r} (for {name!r}); it has: {there}")

    def run(self, signature: str, inputs: dict[str, np.ndarray], outputs: list[str]) -> Answer:
        """Run a signature; the outputs are copies, since the interpreter reuses its buffers."""
        binding, note = self._bindings[signature], None
        check_complete(signature, inputs, binding["inputs"])
        details = self._details(binding)
        for name, array in inputs.items():
            check_input(name, array, _datatype(details[name]["dtype"], name), _acceptable(details[name]))
        try:
            results, took = self._call(binding, inputs)
        except (RuntimeError, ValueError) as error:
            if found := re.search(r"Got value of type NOTYPE but expected type (\w+)", str(error)):
                raise Refusal("UNIMPLEMENTED", f"this interpreter's Python API cannot carry tensors of {found[1].lower()}") from error
            try:
                results, took = self._fall_back(error, lambda: self._call(binding, inputs))
            except (RuntimeError, ValueError) as plain:
                self._interpreter = self._new()  # a refused resize leaves the old one without memory for its tensors
                if rebatched := [n for n, a in inputs.items() if _other_batch(details[n], a)]:
                    written, asked = _shape(details[rebatched[0]]), list(inputs[rebatched[0]].shape)
                    sentence = (
                        f"input {rebatched[0]!r} was written with the shape {written} and cannot be resized to {asked}: {_line(plain)}"
                    )
                    raise Refusal("UNIMPLEMENTED", sentence) from error
                raise RuntimeError(_line(plain)) from error
            note = self.note
        return Answer({n: np.asarray(results[n]) for n in outputs}, took, note)

    def _call(self, binding: dict[str, Any], inputs: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], int]:
        interpreter = self._interpreter
        if not self._keep_state:
            interpreter.reset_all_variables()
        if binding.get("key") is not None:
            runner = self._runner(binding["key"])
            return nanoseconds(lambda: runner(**inputs))
        shapes = {d["index"]: list(d["shape"]) for d in interpreter.get_input_details()}
        by_index = {int(binding["inputs"][name]): array for name, array in inputs.items()}
        resized = {i: array.shape for i, array in by_index.items() if shapes[i] != list(array.shape)}
        for index, shape in resized.items():
            interpreter.resize_tensor_input(index, shape)
        if resized:
            interpreter.allocate_tensors()
        for index, array in by_index.items():
            interpreter.set_tensor(index, array)
        _, took = nanoseconds(interpreter.invoke)
        return {n: interpreter.get_tensor(int(index)) for n, index in binding["outputs"].items()}, took

    def _details(self, binding: dict[str, Any]) -> dict[str, Any]:
        """Each input's details (shape, shape_signature, dtype) by the binding's names."""
        if binding.get("key") is not None:
            details: dict[str, Any] = self._runner(binding["key"]).get_input_details()
            return details
        by_index = {d["index"]: d for d in self._interpreter.get_input_details()}
        if strange := [n for n, index in binding["inputs"].items() if int(index) not in by_index]:
            bound = ", ".join(f"{n!r} to {binding['inputs'][n]}" for n in strange)
            raise Refusal("INVALID_ARGUMENT", f"the model's inputs are the tensors {sorted(by_index)}; bound is {bound}")
        return {n: by_index[int(index)] for n, index in binding["inputs"].items()}

    def _new(self) -> Any:
        interpreter = None
        try:
            interpreter = self._class(
                model_path=self._path,
                experimental_op_resolver_type=self._resolver,
                num_threads=self._threads if self._threads > 1 else None,
            )
            interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            flex = [d["op_name"] for d in interpreter._get_ops_details()] if interpreter is not None else []
            raise missing(self._path, flex, str(error)) or error from error
        self._runners = {}
        return interpreter

    def _runner(self, key: str) -> Any:
        if key not in self._runners:
            self._runners[key] = self._interpreter.get_signature_runner(key)
        return self._runners[key]

    def _fall_back(self, cause: Exception, call: Callable[[], Any]) -> Any:
        """The call's result without XNNPACK, which stays off if that helps.

        Where it does not, raises the failure of the interpreter's own kernels, which names the operator, if the first named the delegate.
        """
        if self._resolver is self._plain:
            raise cause
        delegating, self._resolver = self._resolver, self._plain
        try:
            self._interpreter = self._new()
            result = call()
        except (RuntimeError, ValueError) as plain:
            self._resolver = delegating
            raise (plain if "Delegate" in str(cause) else cause) from None
        self.note = f"run by the interpreter's own kernels: with its default delegate (XNNPACK) it failed ({_line(cause)})"
        return result


def missing(path: str, ops: Iterable[str], text: str) -> Refusal | None:
    """A Refusal (UNIMPLEMENTED) where the cause is an op or a datatype that this interpreter does not have; `ops` are the file's."""
    if "Select TensorFlow op" in text or "Flex delegate" in text:
        flex = sorted({name for name in ops if name.startswith("Flex")})
        return Refusal("UNIMPLEMENTED", f"{path} needs Flex (Select TF) ops, which this interpreter does not have: {', '.join(flex)}")
    if found := re.search(r"unresolved custom op: (.+?)\.?(?:\s|$)", text):
        device = "; it was compiled for an Edge TPU: verify the file it was made from" if found[1] == "edgetpu-custom-op" else ""
        return Refusal("UNIMPLEMENTED", f"{path} needs the custom op {found[1]}, which this interpreter does not have{device}")
    if found := re.search(r"Didn't find op for ([^.\n]+)", text):
        return Refusal("UNIMPLEMENTED", f"{path} needs the {found[1]}, which this interpreter does not have")
    if found := re.search(r"builtin_code out of range: (\d+)", text):
        return Refusal("UNIMPLEMENTED", f"{path} needs the operator number {found[1]}, which this interpreter does not know")
    if found := re.search(r"Unsupported data type (\d+)", text):
        return Refusal(
            "UNIMPLEMENTED", f"{path} has a datatype (number {found[1]} of the TFLite schema) that this interpreter does not know"
        )
    return None


def _datatype(dtype: type, name: str) -> str:
    try:
        return tensors.datatype_of(dtype)
    except (ValueError, TypeError) as error:
        raise Refusal("UNIMPLEMENTED", f"this interpreter's Python API cannot carry input {name!r}: {dtype}") from error


def _shape(detail: dict[str, Any]) -> list[int]:
    """The shape in the file: -1 where a dimension is free."""
    signature = detail["shape_signature"]
    return [int(d) for d in (signature if len(signature) else detail["shape"])]


def _acceptable(detail: dict[str, Any]) -> list[int] | None:
    """The shapes worth trying: kernels often take another batch than the one written down; no dimensions may mean any rank."""
    shape = _shape(detail)
    return [-1, *shape[1:]] if shape else None


def _other_batch(detail: dict[str, Any], array: np.ndarray) -> bool:
    shape = _shape(detail)
    return array.ndim > 0 if not shape else shape[0] not in (-1, array.shape[0])


def _line(error: Exception) -> str:
    """The message on one line; the interpreter runs its parts together where it names the node."""
    return " ".join(str(error).replace("Node number", " Node number").split())[:300]
