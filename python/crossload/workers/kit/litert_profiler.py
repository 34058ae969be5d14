"""The time of each operator of a .tflite, by LiteRT's own profiler, which only the C API of its library opens.

The prototypes are those of litert/c (litert_profiler.h, litert_profiler_event.h, litert_opaque_options.h), release 2.3.
"""

from __future__ import annotations

import ctypes
import os
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import ai_edge_litert
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.cpu_kernel_mode import CpuKernelMode

from . import tensors
from .serving import Answer, Model, OperatorTime, Request

_KERNELS = {"reference": CpuKernelMode.REFERENCE, "builtin": CpuKernelMode.BUILTIN}
_CPU = _HOST_MEMORY = _WRITE = 1
# tflite::Profiler::EventType (tflite/core/api/profiler.h): an operator of the file, and one inside a delegate.
_INVOKE, _INSIDE = 1 << 1, {1 << 2, 1 << 3}
_Pointer, _Size = ctypes.c_void_p, ctypes.c_size_t


class _Layout(ctypes.Structure):
    _fields_ = (
        ("rank", ctypes.c_uint32, 7),
        ("strided", ctypes.c_uint32, 1),
        ("shape", ctypes.c_int32 * 8),
        ("strides", ctypes.c_uint32 * 8),
    )


class _TensorType(ctypes.Structure):
    _fields_ = (("element", ctypes.c_int), ("layout", _Layout))


class _Event(ctypes.Structure):
    """ProfiledEventData; the microseconds of one operator."""

    _fields_ = (
        *(("tag", ctypes.c_char_p), ("kind", ctypes.c_int), ("began", ctypes.c_uint64), ("took", ctypes.c_uint64)),
        *(("memory", ctypes.c_int64 * 6), ("at", ctypes.c_uint64), ("subgraph", ctypes.c_uint64), ("source", ctypes.c_int)),
    )


class TimedModel:
    """A model whose answers tell the time of each operator: the model answers, and LiteRT's profiler times a run of the same file."""

    def __init__(self, model: Model, request: Request, kernels: str, threads: int) -> None:
        """`kernels` is "reference", "builtin" or else XNNPACK."""
        self.note = model.note
        self._model, self._new = model, lambda: _Profiled(request, kernels, threads)
        self._profiled: _Profiled | None = None

    def run(self, signature: str, inputs: dict[str, np.ndarray], outputs: list[str]) -> Answer:
        """The model's answer with `operators`, or with a note that says why LiteRT's C API does not run this model."""
        answer = self._model.run(signature, inputs, outputs)
        try:
            self._profiled = self._profiled or self._new()
            answer.operators = self._profiled.times(signature, inputs)
        except _Refused as error:
            answer.note = "; ".join(filter(None, (answer.note, f"no time by operator: {error}")))
        return answer


class _Refused(Exception):
    """A call of the C API that failed."""


class _Profiled:
    """A file compiled with the profiler on."""

    def __init__(self, request: Request, kernels: str, threads: int) -> None:
        self._bindings, self._path = request.signatures, request.path
        self._library = ctypes.CDLL(str(Path(ai_edge_litert.__file__).with_name("libLiteRt.so")))
        self._environment = self._made("CreateEnvironment", 0, None)
        self._file = self._made("CreateModelFromFile", self._environment, os.fsencode(request.path))
        options = self._made("CreateOptions")
        self._do("SetOptionsHardwareAccelerators", options, _CPU)
        self._add(options, b"runtime_options_string", "enable_profiling = true\n")
        mode = f"kernel_mode = {int(_KERNELS[kernels])}\n" if kernels in _KERNELS else ""
        self._add(options, b"xnnpack", f"num_threads = {threads}\n{mode}")
        self._model = self._made("CreateCompiledModel", self._environment, self._file, options)
        self._profiler = self._made("CompiledModelGetProfiler", self._model)
        weakref.finalize(self, _release, self._library, self._model, options, self._file, self._environment)

    def times(self, signature: str, inputs: dict[str, np.ndarray]) -> list[OperatorTime]:
        """The operators of one run after a first one, in their order. Raises _Refused."""
        binding = self._bindings[signature]
        at, found = self._signature(binding.get("key"))
        given = self._inputs(at, found, binding, inputs)
        buffers = [self._written(found, position, array) for position, array in given]
        answers = self._outputs(at, found)
        try:
            self._run(at, buffers, answers)
            self._do("StartProfiler", self._profiler)
            self._run(at, buffers, answers)
            self._do("StopProfiler", self._profiler)
            count = ctypes.c_int()
            self._do("GetNumProfilerEvents", self._profiler, ctypes.byref(count))
            events = (_Event * count.value)()
            self._do("GetProfilerEvents", self._profiler, count, events)
            taken = _operators(events)
            self._do("ResetProfiler", self._profiler)
            return taken
        finally:
            for buffer in (*buffers, *answers):
                self._library.LiteRtDestroyTensorBuffer(buffer)

    def _signature(self, key: str | None) -> tuple[int, _Pointer]:
        count = _Size()
        self._do("GetNumModelSignatures", self._file, ctypes.byref(count))
        for at in range(count.value):
            found = self._made("GetModelSignature", self._file, _Size(at))
            name = ctypes.c_char_p()
            self._do("GetSignatureKey", found, ctypes.byref(name))
            if key is None or name.value == key.encode():
                return at, found
        raise _Refused(f"LiteRT's C API has no signature {key!r}")

    def _inputs(self, at: int, found: _Pointer, binding: dict[str, Any], inputs: dict[str, np.ndarray]) -> list[tuple[int, np.ndarray]]:
        """The arrays by position, after the model took their shapes."""
        positions = self._positions(found, binding)
        given = sorted(((positions[name], array) for name, array in inputs.items()), key=lambda pair: pair[0])
        for position, array in given:
            if array.dtype.hasobject:
                raise _Refused("LiteRT's C API carries no strings")
            shape = (ctypes.c_int * array.ndim)(*array.shape)
            self._do("CompiledModelResizeInputTensorNonStrict", self._model, _Size(at), _Size(position), shape, _Size(array.ndim))
        return given

    def _positions(self, found: _Pointer, binding: dict[str, Any]) -> dict[str, int]:
        """Each input's position: by its name in the signature, or by its tensor's index in a file without signatures."""
        if binding.get("key") is None:
            order = list(schema.ModelT.InitFromPackedBuf(Path(self._path).read_bytes(), 0).subgraphs[0].inputs)
            return {name: order.index(int(index)) for name, index in binding["inputs"].items()}
        count, names = _Size(), {}
        self._do("GetNumSignatureInputs", found, ctypes.byref(count))
        for position in range(count.value):
            name = ctypes.c_char_p()
            self._do("GetSignatureInputName", found, _Size(position), ctypes.byref(name))
            names[(name.value or b"").decode()] = position
        return names

    def _written(self, found: _Pointer, position: int, array: np.ndarray) -> _Pointer:
        kind = self._type(found, "Input", position)
        kind.layout.rank = array.ndim
        kind.layout.shape[: array.ndim] = list(array.shape)
        data = tensors.encode(array)
        buffer = self._buffer(kind, len(data))
        memory = _Pointer()
        self._do("LockTensorBuffer", buffer, ctypes.byref(memory), _WRITE)
        ctypes.memmove(memory, bytes(data), len(data))
        self._do("UnlockTensorBuffer", buffer)
        return buffer

    def _outputs(self, at: int, found: _Pointer) -> list[_Pointer]:
        count = _Size()
        self._do("GetNumSignatureOutputs", found, ctypes.byref(count))
        layouts = (_Layout * count.value)()
        self._do("GetCompiledModelOutputTensorLayouts", self._model, _Size(at), count, layouts, ctypes.c_bool(True))
        made = []
        for position in range(count.value):
            kind = self._type(found, "Output", position)
            kind.layout = layouts[position]
            made.append(self._buffer(kind, 16 * int(np.prod(kind.layout.shape[: kind.layout.rank], dtype=np.int64))))
        return made

    def _type(self, found: _Pointer, side: str, position: int) -> _TensorType:
        tensor, kind = self._made(f"GetSignature{side}TensorByIndex", found, _Size(position)), _TensorType()
        self._do("GetRankedTensorType", tensor, ctypes.byref(kind))
        return kind

    def _buffer(self, kind: _TensorType, size: int) -> _Pointer:
        return self._made("CreateManagedTensorBuffer", self._environment, _HOST_MEMORY, ctypes.byref(kind), _Size(max(size, 1)))

    def _run(self, at: int, inputs: list[_Pointer], outputs: list[_Pointer]) -> None:
        given, made = ((_Pointer * len(side))(*(b.value for b in side)) for side in (inputs, outputs))
        self._do("RunCompiledModel", self._model, _Size(at), _Size(len(inputs)), given, _Size(len(outputs)), made)

    def _add(self, options: _Pointer, kind: bytes, text: str) -> None:
        """Options in TOML; LiteRT frees the text."""
        libc = ctypes.CDLL(None)
        libc.strdup.restype = _Pointer
        made = self._made("CreateOpaqueOptions", kind, _Pointer(libc.strdup(text.encode())), ctypes.cast(libc.free, _Pointer))
        self._do("AddOpaqueOptions", options, made)

    def _made(self, function: str, *arguments: Any) -> _Pointer:
        """What a function of the C API puts into its last argument."""
        made = _Pointer()
        self._do(function, *arguments, ctypes.byref(made))
        return made

    def _do(self, function: str, *arguments: Any) -> None:
        call: Callable[..., int] = getattr(self._library, f"LiteRt{function}")
        if status := call(*arguments):
            raise _Refused(f"LiteRt{function} answers {status}")


def _operators(events: Iterable[_Event]) -> list[OperatorTime]:
    """Each operator's time; one inside a delegate has no place in the file."""
    found = []
    for event in events:
        if event.kind == _INVOKE or event.kind in _INSIDE:
            at = event.at if event.kind == _INVOKE and event.subgraph == 0 else None
            found.append(OperatorTime((event.tag or b"").decode(errors="replace"), 1000 * event.took, at))
    return found


def _release(library: ctypes.CDLL, model: _Pointer, options: _Pointer, file: _Pointer, environment: _Pointer) -> None:
    library.LiteRtDestroyCompiledModel(model)
    library.LiteRtDestroyOptions(options)
    library.LiteRtDestroyModel(file)
    library.LiteRtDestroyEnvironment(environment)
