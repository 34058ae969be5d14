"""The worker protocol on standard input and output (bindings/contract/README.md): a worker only declares its identity and how it loads.

A worker calls `wire.own_streams()` before it imports anything else, and `Server(…).serve()` once it is ready.
"""

from __future__ import annotations

import os
import platform
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from . import shared_memory, tensors, wire

INSTRUCTIONS = ("avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "asimd", "asimddp", "sve", "bf16")
OPERATOR_TIMES = "operator_times"  # the load option of a worker whose runtime tells the time of each operator
WITH_OUTPUTS = {"ModelInfer", "Echo", "RegisteredOps"}
HALF_BYTES = {"INT4": "INT8", "UINT4": "UINT8"}
_CODES = {  # Python's own exceptions; anything else is INTERNAL
    MemoryError: "RESOURCE_EXHAUSTED",
    FileNotFoundError: "NOT_FOUND",
    NotImplementedError: "UNIMPLEMENTED",
}


class Refusal(Exception):
    """A request answered with an error: a google.rpc.Code name and one sentence."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass
class OperatorTime:
    """How long an operator took in one run: its name in the runtime, and where the file has it (None where the runtime made it)."""

    name: str
    nanoseconds: int
    at: int | str | None = None

    def to_json(self) -> dict[str, Any]:
        """An element of the answer's `operators`."""
        return {key: value for key, value in vars(self).items() if value is not None}


@dataclass
class Answer:
    """A model's outputs by name, the time of the runtime's own call, and optionally one sentence for the user.

    `operators` are the times of a run, in the order of execution, if the load option `operator_times` asked for them.
    """

    outputs: dict[str, np.ndarray]
    nanoseconds: int
    note: str | None = None
    operators: Sequence[OperatorTime] = ()


class Model(Protocol):
    """A loaded artifact. `note` is one sentence for the user, or None."""

    note: str | None

    def run(self, signature: str, inputs: dict[str, np.ndarray], outputs: list[str]) -> Answer:
        """The requested outputs; raises Refusal. `signature`, and the names, are those of the bindings given at load."""


@dataclass
class Request:
    """The request of RepositoryModelLoad: `signatures` maps a name to {"key", "inputs", "outputs"}, the bindings.

    `options` are the user's, for a format that needs them (Keras files: `custom_objects`, `allow_code`). Without `keep_state` a model that
    keeps state starts each run from the state that the file describes, if the runtime can reset it.
    """

    path: str
    format: str
    tags: list[str] | None
    signatures: dict[str, dict[str, Any]]
    options: dict[str, Any] = field(default_factory=dict)
    keep_state: bool = False


@dataclass
class Server:
    """A worker's identity and how it loads.

    `parameters` (native, threads, …) goes into ServerMetadata; `registered_ops` gives a serialised tensorflow.OpList, where the
    runtime can; `explain` turns the runtime's own exceptions into Refusals.
    """

    name: str
    version: str
    formats: list[str]
    load: Callable[[Request], Model]
    parameters: dict[str, Any]
    registered_ops: Callable[[], bytes] | None = None
    explain: Callable[[Exception], Refusal | None] = lambda _: None
    _models: dict[str, tuple[Model, Request]] = field(default_factory=dict)

    def serve(self) -> None:
        """Answer requests until standard input ends; a stream that cannot be read on ends the process with status 1."""
        source, target = wire.own_streams()
        try:
            while (frame := wire.read(source, tensors.ITEMSIZES)) is not None:
                wire.write(target, *self._respond(*frame))
                del frame  # a large request is freed before the next one is read
        except wire.Malformed as error:
            sys.exit(f"{self.name} worker: {error}; the stream cannot be read on")
        except BrokenPipeError:
            sys.exit(f"{self.name} worker: nobody reads the answers any more")

    def _respond(self, header: dict[str, Any], received: wire.Received) -> tuple[dict[str, Any], list[memoryview]]:
        try:
            response, outputs = self._answer(header, {entry["name"]: _decoded(entry, data) for entry, data in received})
            buffers = [tensors.encode(array) for array in outputs.values()]
            if header["rpc"] in WITH_OUTPUTS:
                response["outputs"] = [
                    wire.entry(name, tensors.datatype_of(array.dtype), array.shape, len(data))
                    for (name, array), data in zip(outputs.items(), buffers, strict=True)
                ]
                buffers = shared_memory.put(response["outputs"], buffers)
        except Exception as error:  # noqa: BLE001 - whatever a model does, the worker answers and lives on
            response, buffers = _error(self.explain(error) or error), []
        return {"id": header.get("id"), **response}, buffers

    def _answer(self, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        rpc, model_name, asked = header.get("rpc"), str(header.get("model_name")), header.get("parameters", {})
        if rpc == "ModelInfer":
            model, request = self._loaded(model_name)
            signature = asked.get("signature_name", "serving_default")
            wanted = _wanted(header, signature, request.signatures, arrays)
            answer = model.run(signature, arrays, wanted)
            timed = {"operators": [o.to_json() for o in answer.operators]} if answer.operators else {}
            parameters = {"nanoseconds": answer.nanoseconds, **_note(answer.note), **timed}
            return {"model_name": model_name, "parameters": parameters}, {n: answer.outputs[n] for n in wanted}
        if rpc == "Echo":
            return {}, arrays
        if rpc == "RepositoryModelLoad":
            self._models.pop(model_name, None)  # the old one's memory is freed before the new one needs it
            request = _load_request(asked, self.name, self.formats)
            model = self.load(request)
            self._models[model_name] = model, request
            return {"name": model_name, "parameters": _note(model.note)}, {}
        if rpc == "RepositoryModelUnload":
            self._loaded(model_name)
            del self._models[model_name]
            return {}, {}
        if rpc == "ServerMetadata":
            host = {
                "language": f"Python {platform.python_version()}",
                "os": platform.system().lower(),
                "arch": platform.machine(),
                **_cpu(),
            }
            extensions = ["binary_tensor_data", *shared_memory.extensions()]
            identity = {"name": self.name, "version": self.version, "extensions": extensions, "formats": self.formats}
            return {**identity, "parameters": {**host, **self.parameters}}, {}
        if rpc == "RegisteredOps" and self.registered_ops is not None:
            return {}, {"op_list": np.array([self.registered_ops()], dtype=object)}
        raise Refusal("UNIMPLEMENTED", f"{self.name} does not answer {rpc!r}")

    def _loaded(self, model_name: str) -> tuple[Model, Request]:
        if model_name not in self._models:
            raise Refusal("NOT_FOUND", f"no model {model_name!r} is loaded; loaded are: {_listed(self._models)}")
        return self._models[model_name]


def _cpu() -> dict[str, str]:
    """The CPU's instructions by which kernels choose their code, as far as Linux names them: another choice may change last bits."""
    try:
        with Path("/proc/cpuinfo").open() as stream:
            flags = next((line for line in stream if line.startswith(("flags", "Features"))), "").split()
    except OSError:
        return {}
    return {"cpu": " ".join(found)} if (found := [name for name in INSTRUCTIONS if name in flags]) else {}


def nanoseconds(call: Callable[[], Any]) -> tuple[Any, int]:
    """A call's result and how long it took."""
    start = time.perf_counter_ns()
    result = call()
    return result, time.perf_counter_ns() - start


def check_input(name: str, array: np.ndarray, datatype: str, shape: Iterable[int] | None) -> None:
    """Raise Refusal unless an input has this datatype and fits this shape (-1: free, None: any rank).

    INVALID_ARGUMENT, but UNIMPLEMENTED where the runtime shows a tensor of half bytes as one of bytes.
    """
    expected = None if shape is None else [int(d) for d in shape]
    got = tensors.datatype_of(array.dtype)
    if HALF_BYTES.get(got) == datatype:
        half = tensors.for_people(got)
        raise Refusal(
            "UNIMPLEMENTED", f"input {name!r} is {half}, which this runtime shows as {tensors.for_people(datatype)} and cannot carry"
        )
    fits = expected is None or (len(expected) == array.ndim and all(e in (-1, d) for e, d in zip(expected, array.shape, strict=True)))
    if got != datatype or not fits:
        takes = f"{tensors.for_people(datatype)} of {'any shape' if expected is None else f'shape {expected}'}"
        given = f"{tensors.for_people(got)} of shape {list(array.shape)}"
        raise Refusal("INVALID_ARGUMENT", f"input {name!r} takes {takes}; the request has {given}")


def check_complete(signature: str, inputs: Iterable[str], needed: Iterable[str]) -> None:
    """Raise Refusal (INVALID_ARGUMENT) naming the inputs that a request leaves out."""
    if absent := sorted(set(needed) - set(inputs)):
        raise Refusal("INVALID_ARGUMENT", f"signature {signature!r} needs inputs that the request leaves out: {_listed(absent)}")


def _wanted(header: dict[str, Any], signature: str, signatures: dict[str, Any], arrays: dict[str, Any]) -> list[str]:
    """The outputs asked for, after a check that signature, inputs and outputs are the bindings' own."""
    if signature not in signatures:
        raise Refusal("NOT_FOUND", f"the model has no signature {signature!r}; it has: {_listed(signatures)}")
    binding = signatures[signature]
    if unknown := [n for n in arrays if n not in binding["inputs"]]:
        raise Refusal("INVALID_ARGUMENT", f"signature {signature!r} takes {_listed(binding['inputs'])}; it has no input {_listed(unknown)}")
    wanted = [e["name"] for e in header.get("outputs") or []] or list(binding["outputs"])
    if unknown := [n for n in wanted if n not in binding["outputs"]]:
        raise Refusal(
            "INVALID_ARGUMENT", f"signature {signature!r} gives {_listed(binding['outputs'])}; it has no output {_listed(unknown)}"
        )
    return wanted


def _load_request(asked: dict[str, Any], name: str, formats: list[str]) -> Request:
    path, artifact_format = str(asked.get("path")), str(asked.get("format"))
    if artifact_format not in formats:
        raise Refusal("UNIMPLEMENTED", f"{name} loads {_listed(formats)}, not {artifact_format}")
    # A checkpoint's path is what its files' names begin with.
    if not os.path.exists(path) and artifact_format != "checkpoint":  # noqa: PTH110
        raise Refusal("NOT_FOUND", f"{path}: there is no such file or folder")
    signatures, options = asked.get("signatures") or {}, asked.get("options") or {}
    return Request(path, artifact_format, asked.get("tags"), signatures, options, bool(asked.get("keep_state")))


def _decoded(entry: dict[str, Any], data: np.ndarray) -> np.ndarray:
    try:
        return tensors.decode(entry["datatype"], entry["shape"], data)
    except ValueError as error:
        raise Refusal("INVALID_ARGUMENT", f"input {entry['name']!r}: {error}") from error


# Keras puts the layer before the cause, which it prints bold (keras/src/utils/traceback_utils.py, inject_argument_info_in_traceback).
_KERAS = "Exception encountered when calling"
_BOLD = re.compile(r"\x1b\[\d*m")


def _error(error: Exception) -> dict[str, Any]:
    if isinstance(error, Refusal):
        return {"error": str(error), "code": error.code}
    traceback.print_exception(error, file=sys.stderr)
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].startswith(_KERAS):
        lines[0] = f"{lines[0].rstrip('.')}: {_BOLD.sub('', lines[1])}"
    code = next((c for kind, c in _CODES.items() if isinstance(error, kind)), "INTERNAL")
    return {"error": lines[0] if lines else type(error).__name__, "code": code}


def _note(note: str | None) -> dict[str, str]:
    return {} if note is None else {"note": note}


def _listed(names: Iterable[Any]) -> str:
    return ", ".join(str(n) for n in names) or "none"
