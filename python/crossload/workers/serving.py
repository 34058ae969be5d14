"""The worker protocol on standard input and output (bindings/contract/README.md): a worker says what it is and how it loads.

A worker calls `own_streams()` before it imports its runtime, and `serve(…)` once it is ready. This module needs the standard
library alone until `serve`, which needs NumPy and ml_dtypes.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import platform
import struct
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

if TYPE_CHECKING:
    import numpy as np

_MAX_HEADER = 64 << 20
_F_SETPIPE_SZ = 1031  # linux/fcntl.h
_CODES = {  # what Python raises by itself; anything else is INTERNAL
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
class Answer:
    """A model's outputs by name, the time of the runtime's own call, and perhaps one sentence worth showing beside them."""

    outputs: dict[str, np.ndarray]
    nanoseconds: int
    note: str | None = None


class Model(Protocol):
    """A loaded artifact. `note` is one sentence worth showing, or None."""

    note: str | None

    def run(self, signature: str, inputs: dict[str, np.ndarray], outputs: list[str]) -> Answer:
        """The outputs asked for; raises Refusal. `signature`, and the names, are those of the bindings given at load."""


@dataclass
class Request:
    """What RepositoryModelLoad asks for: `signatures` maps a name to {"key", "inputs", "outputs"}, the bindings."""

    path: str
    format: str
    tags: list[str] | None
    signatures: dict[str, dict[str, Any]]


class _Malformed(Exception):
    """Bytes on standard input that are no frame: the stream cannot be used any more."""


_streams: tuple[BinaryIO, int] | None = None


def own_streams() -> tuple[BinaryIO, int]:
    """Take standard input and output for the protocol; what others print from now on goes to standard error."""
    global _streams  # noqa: PLW0603
    if _streams is None:
        source, target = os.dup(0), os.dup(1)
        os.dup2(2, 1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        for descriptor in (source, target):
            _enlarge(descriptor)
        _streams = open(source, "rb", buffering=1 << 16), target  # noqa: SIM115, PTH123
    return _streams


def serve(
    name: str,
    version: str,
    formats: list[str],
    load: Callable[[Request], Model],
    parameters: dict[str, Any],
    registered_ops: Callable[[], bytes] | None = None,
) -> None:
    """Answer requests until standard input ends. `parameters` (native, threads, …) goes into ServerMetadata."""
    import numpy as np
    import tensors

    source, target = own_streams()
    models: dict[str, tuple[Model, dict[str, Any]]] = {}

    def answer(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        rpc, model_name = header.get("rpc"), str(header.get("model_name"))
        asked = header.get("parameters", {})
        if rpc == "ModelInfer":
            model, signatures = models.get(model_name, (None, {}))
            if model is None:
                raise Refusal("NOT_FOUND", f"no model {model_name!r} is loaded; loaded are: {_listed(models)}")
            signature = asked.get("signature_name", "serving_default")
            wanted = _wanted(header, signature, signatures, arrays)
            done = model.run(signature, arrays, wanted)
            note = {} if done.note is None else {"note": done.note}
            return {"model_name": model_name, "parameters": {"nanoseconds": done.nanoseconds, **note}}, {n: done.outputs[n] for n in wanted}
        if rpc == "Echo":
            return {}, arrays
        if rpc == "RepositoryModelLoad":
            request = _load_request(asked, name, formats)
            models.pop(model_name, None)  # free the old one first
            model = load(request)
            models[model_name] = model, request.signatures
            return {"name": model_name, "parameters": {} if model.note is None else {"note": model.note}}, {}
        if rpc == "RepositoryModelUnload":
            if models.pop(model_name, None) is None:
                raise Refusal("NOT_FOUND", f"no model {model_name!r} is loaded; loaded are: {_listed(models)}")
            return {}, {}
        if rpc == "ServerMetadata":
            host = {"language": f"Python {platform.python_version()}", "os": platform.system().lower(), "arch": platform.machine()}
            metadata = {"name": name, "version": version, "extensions": ["binary_tensor_data"], "formats": formats}
            return {**metadata, "parameters": {**host, **parameters}}, {}
        if rpc == "RegisteredOps" and registered_ops is not None:
            op_list = np.empty(1, dtype=object)
            op_list[0] = registered_ops()
            return {}, {"op_list": op_list}
        raise Refusal("UNIMPLEMENTED", f"{name} does not answer {rpc!r}")

    try:
        while (frame := _read(source, tensors.DTYPES)) is not None:
            header, received = frame
            try:
                arrays = {e["name"]: _decoded(tensors.decode, e, data) for e, data in received}
                response, outputs = answer(header, arrays)
                described, buffers = [], []
                for output, array in outputs.items():
                    buffers.append(tensors.encode(array))
                    described.append(_entry(output, tensors.datatype_of(array.dtype), array.shape, len(buffers[-1])))
                if outputs or header.get("rpc") in ("ModelInfer", "Echo"):
                    response["outputs"] = described
            except Exception as error:  # noqa: BLE001 - whatever a model does, the worker answers and lives on
                response, buffers = _error(error), []
            _write(target, {"id": header.get("id"), **response}, buffers)
            del frame, received  # a large request is freed before the next one is read
    except _Malformed as error:
        sys.exit(f"{name} worker: {error}; the stream cannot be read on")
    except BrokenPipeError:
        sys.exit(f"{name} worker: nobody reads the answers any more")


def nanoseconds(call: Callable[[], Any]) -> tuple[Any, int]:
    """A call's result and how long it took."""
    start = time.perf_counter_ns()
    result = call()
    return result, time.perf_counter_ns() - start


def check_input(name: str, array: np.ndarray, datatype: str, shape: Iterable[int] | None) -> None:
    """Raise Refusal (INVALID_ARGUMENT) unless an input has this datatype and fits this shape (-1: free, None: any rank)."""
    import tensors

    expected = None if shape is None else [int(d) for d in shape]
    got = tensors.datatype_of(array.dtype)
    fits = expected is None or (len(expected) == array.ndim and all(e in (-1, d) for e, d in zip(expected, array.shape, strict=True)))
    if got != datatype or not fits:
        takes = f"{datatype} of any shape" if expected is None else f"{datatype} {expected}"
        raise Refusal("INVALID_ARGUMENT", f"input {name!r} takes {takes}; the request has {got} {list(array.shape)}")


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
        raise Refusal("INVALID_ARGUMENT", f"signature {signature!r} gives {_listed(binding['outputs'])}; it has no output {_listed(unknown)}")
    return wanted


def _load_request(asked: dict[str, Any], name: str, formats: list[str]) -> Request:
    path, artifact_format = str(asked.get("path")), str(asked.get("format"))
    if artifact_format not in formats:
        raise Refusal("UNIMPLEMENTED", f"{name} loads {_listed(formats)}, not {artifact_format}")
    if not os.path.exists(path):  # noqa: PTH110
        raise Refusal("NOT_FOUND", f"{path}: there is no such file or folder")
    return Request(path, artifact_format, asked.get("tags"), asked.get("signatures") or {})


def _read(source: BinaryIO, known: Iterable[str]) -> tuple[dict[str, Any], list[tuple[dict[str, Any], np.ndarray]]] | None:
    """The next request's header and its input tensors' entries and bytes; None at the stream's end. Raises _Malformed."""
    import numpy as np

    prefix = source.read(8)
    if not prefix:
        return None
    length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else 0
    if not 0 < length <= _MAX_HEADER:
        raise _Malformed(f"a frame cannot begin with {prefix!r}")
    try:
        header = json.loads(source.read(length))
        entries = [e for key in ("inputs", "outputs") for e in header.get(key) or [] if "binary_data_size" in e.get("parameters", {})]
        sizes = [int(e["parameters"]["binary_data_size"]) for e in entries]
        counts = [math.prod(e["shape"]) if min(e["shape"], default=0) >= 0 else -1 for e in entries]
        items = [_item_size(e["datatype"], known) for e in entries]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _Malformed(f"a frame's header cannot be understood ({type(error).__name__}: {error})") from error
    received = []
    for entry, size, count, item in zip(entries, sizes, counts, items, strict=True):
        if count < 0 or size < 0 or (item and size != count * item):
            raise _Malformed(f"tensor {entry.get('name')!r} of {size} bytes contradicts {entry['datatype']} {entry['shape']}")
        data = np.empty(size, dtype=np.uint8)
        if size and source.readinto(memoryview(data)) != size:  # type: ignore[attr-defined]
            raise _Malformed("the stream ends inside a frame")
        received.append((entry, data))
    return header, received


def _item_size(datatype: str, known: Any) -> int:
    """Bytes of an element, 0 for BYTES; raises KeyError for a datatype that the contract does not have."""
    return 0 if datatype == "BYTES" else int(known[datatype].itemsize)


def _decoded(decode: Callable[..., np.ndarray], entry: dict[str, Any], data: np.ndarray) -> np.ndarray:
    try:
        return decode(entry["datatype"], entry["shape"], data)
    except ValueError as error:
        raise Refusal("INVALID_ARGUMENT", f"input {entry['name']!r}: {error}") from error


def _entry(name: str, datatype: str, shape: Iterable[int], size: int) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": list(shape), "parameters": {"binary_data_size": size}}


def _write(target: int, header: dict[str, Any], buffers: list[memoryview]) -> None:
    text = json.dumps(header, separators=(",", ":")).encode()
    pending = [memoryview(struct.pack("<Q", len(text)) + text), *(b for b in buffers if len(b))]
    while pending:
        written = os.writev(target, pending[:64])
        while pending and written >= len(pending[0]):
            written -= len(pending.pop(0))
        if written:
            pending[0] = pending[0][written:]


def _error(error: Exception) -> dict[str, Any]:
    if isinstance(error, Refusal):
        return {"error": str(error), "code": error.code}
    traceback.print_exception(error, file=sys.stderr)
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    code = next((c for kind, c in _CODES.items() if isinstance(error, kind)), "INTERNAL")
    return {"error": lines[0] if lines else type(error).__name__, "code": code}


def _listed(names: Iterable[Any]) -> str:
    return ", ".join(str(n) for n in names) or "none"


def _enlarge(descriptor: int) -> None:
    """A pipe of 1 MiB: a sixteenth of the system calls for a large tensor (Linux; elsewhere, and for files, nothing happens)."""
    with contextlib.suppress(OSError, ImportError):
        import fcntl

        fcntl.fcntl(descriptor, _F_SETPIPE_SZ, 1 << 20)
