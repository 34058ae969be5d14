"""SavedModels and graphs in TensorFlow Java, called with NumPy arrays.

Strings are object arrays of `bytes`; inputs may also be `str`, encoded as UTF-8. An array reaches TensorFlow's memory with
one copy (two if it is not contiguous), a result leaves it with one. Many threads may call at once: Python keeps running
while TensorFlow computes.
"""

from __future__ import annotations

import ctypes
import json
import os
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, TypeVar

import jpype
import numpy as np

from crossload_jpype import jvm, tensors
from crossload_jpype.errors import ClosedError, InvalidArgument, NotFound, of_java

_Self = TypeVar("_Self", bound="_Model")
_DTYPES = {tensors.for_people(name): dtype for name, dtype in tensors.DTYPES.items()}


@dataclass(frozen=True)
class TensorInfo:
    """A signature's tensor: `tensor` names it in the graph (None for a sparse or ragged one); a dimension of -1 is free, a shape of
    None has any rank; `datatype` is TensorFlow's name."""

    tensor: str | None
    datatype: str
    shape: tuple[int, ...] | None

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """NumPy's dtype; object for strings, None if NumPy has no dtype for it (resource, variant, …)."""
        return _DTYPES.get(self.datatype)


@dataclass(frozen=True)
class Operation:
    """An operation of a graph: its name, its op (`MatMul`), and its number of outputs."""

    name: str
    type: str
    outputs: int


class _Model:
    """A model in the JVM; freed when it is closed or garbage-collected."""

    def __init__(self, path: str, java: Any) -> None:
        self._path, self._java, self._numbers = path, java, jvm.numbers()
        self._dtypes = {number: tensors.DTYPES[name] for name, number in self._numbers.items()}
        self._plans: dict[tuple[tuple[tuple[str, str], ...], tuple[str, ...]], tuple[int, list[int]]] = {}
        self._free = weakref.finalize(self, _close, java)
        self._free.atexit = False  # the process's end frees it, and the JVM may be gone by then

    def close(self) -> None:
        """Free the model after the running calls have ended. Closing again does nothing."""
        self._free()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return not self._free.alive

    def __enter__(self: _Self) -> _Self:
        self._check_open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._path}{' (closed)' if self.closed else ''}>"

    def _check_open(self) -> None:
        jvm.check_process()
        if self.closed:
            raise ClosedError(f"{self._path} is closed; load it again")

    def run_timed(self, feeds: Sequence[tuple[str, str, Any]], fetches: Sequence[str]) -> tuple[list[np.ndarray], int]:
        """Run the graph: `feeds` are (name for people, tensor, value), `fetches` tensors (`operation:index`).

        Returns the fetched tensors, and the nanoseconds of TensorFlow Java's own call. Raises TensorFlowJavaError.
        """
        self._check_open()
        plan, order = self._plan(feeds, fetches)
        numbers: list[int] = []
        held = [self._describe(name, value, numbers) for name, _, value in feeds]
        try:
            result = jvm.of_longs(self._java.run(plan, jvm.long_array(numbers)))
        except jpype.JException as error:
            told = of_java(error)
            self._check_open()  # another thread may have closed it meanwhile
            raise told from None
        finally:
            del held  # until here Java read from it
        try:
            arrays = self._received(result)
        finally:
            self._java.release(result[0])
        return [arrays[at] for at in order], result[1]

    def _plan(self, feeds: Sequence[tuple[str, str, Any]], fetches: Sequence[str]) -> tuple[int, list[int]]:
        """The number of Java's plan, which fetches each tensor once, and the position of each fetch in its results."""
        key = tuple((name, tensor) for name, tensor, _ in feeds), tuple(fetches)
        if (known := self._plans.get(key)) is None:
            names, fed, distinct = [name for name, _ in key[0]], [tensor for _, tensor in key[0]], list(dict.fromkeys(fetches))
            known = self._plans[key] = int(self._java.plan(names, fed, distinct)), [distinct.index(f) for f in fetches]
        return known

    def _describe(self, name: str, value: Any, numbers: list[int]) -> Any:
        """Append AddressFedModel.run's arguments for an input; returns the owner of its memory."""
        array = value if type(value) is np.ndarray else np.asarray(value)
        if array.dtype.kind == "T":
            array = array.astype(object)
        elif not array.dtype.isnative:
            array = array.astype(array.dtype.newbyteorder("="))
        try:
            datatype = tensors.datatype_of(array.dtype)
        except ValueError as error:
            raise InvalidArgument(f"input {name!r}: {error}") from None
        shape, size = array.shape, array.nbytes
        if datatype == "BYTES":
            if others := {type(e).__name__ for e in array.flat if not isinstance(e, (bytes, str))}:
                raise InvalidArgument(f"input {name!r} has elements of {', '.join(sorted(others))}; strings are bytes or str")
            packed = tensors.to_bytes(array)
            size = len(packed)
            array = np.frombuffer(packed, np.uint8) if size else np.empty(0, np.uint8)
        elif not array.flags.c_contiguous:
            array = np.ascontiguousarray(array)
        numbers += (self._numbers[datatype], array.__array_interface__["data"][0] if size else 0, size, len(shape), *shape)
        return array

    def _received(self, result: list[int]) -> list[np.ndarray]:
        arrays, at = [], 2
        while at < len(result):
            number, address, size, rank = result[at : at + 4]
            shape, dtype = result[at + 4 : at + 4 + rank], self._dtypes[number]
            at += 4 + rank
            if dtype.hasobject:
                arrays.append(tensors.strings(ctypes.string_at(address, size), shape))
                continue
            array = np.empty(shape, dtype)
            if size:
                ctypes.memmove(array.__array_interface__["data"][0], address, size)
            arrays.append(array)
        return arrays


@dataclass(frozen=True)
class Session:
    """A model called by its tensors' names, like a session of TensorFlow 1."""

    _model: _Model = field(repr=False)

    def run(self, feeds: Mapping[str, Any], fetches: Sequence[str] | str) -> Any:
        """The fetched tensors in order, or the one tensor of a single name: `operation:index`; `:0` may be missing.

        An array must have its tensor's datatype; anything else goes through numpy.asarray.
        Raises TensorFlowJavaError.
        """
        names = [fetches] if isinstance(fetches, str) else list(fetches)
        if not names:
            raise InvalidArgument("no tensors to fetch; name at least one")
        arrays, _ = self._model.run_timed([(name, name, value) for name, value in feeds.items()], names)
        return arrays[0] if isinstance(fetches, str) else arrays


@dataclass(frozen=True)
class Signature:
    """A signature of a SavedModel: a function of arrays by name."""

    name: str
    inputs: dict[str, TensorInfo]
    outputs: dict[str, TensorInfo]
    _model: _Model = field(repr=False)

    def __call__(self, inputs: Mapping[str, Any] | None = None, /, **arrays: Any) -> dict[str, np.ndarray]:
        """All outputs by name. Inputs whose names are not Python identifiers go into the mapping.

        An array must have its input's datatype; numbers, strings and lists are converted to it. Raises TensorFlowJavaError.
        """
        return self.call_timed({**(inputs or {}), **arrays}, list(self.outputs))[0]

    def call_timed(self, values: Mapping[str, Any], outputs: Sequence[str]) -> tuple[dict[str, np.ndarray], int]:
        """Some outputs by name, and the nanoseconds of TensorFlow Java's own call."""
        if unknown := [n for n in values if n not in self.inputs]:
            raise InvalidArgument(f"signature {self.name!r} takes {_listed(self.inputs)}; it has no input {_listed(unknown)}")
        if absent := [n for n in self.inputs if n not in values]:
            raise InvalidArgument(f"signature {self.name!r} needs inputs that the call leaves out: {_listed(absent)}")
        feeds = [(name, _plain(name, self.inputs[name]), _as_array(name, value, self.inputs[name])) for name, value in values.items()]
        arrays, took = self._model.run_timed(feeds, [_plain(name, self.outputs[name]) for name in outputs])
        return dict(zip(outputs, arrays, strict=True)), took


class SavedModelBundle(_Model):
    """A SavedModel, loaded by TensorFlow Java's SavedModelBundle."""

    def __init__(self, path: str, java: Any) -> None:
        super().__init__(path, java)
        self.session = Session(self)
        described = json.loads(str(java.signatures()))
        self.signatures: dict[str, Signature] = {
            name: Signature(name, _tensors(one["inputs"]), _tensors(one["outputs"]), self) for name, one in sorted(described.items())
        }

    @classmethod
    def load(cls, path: str | os.PathLike[str], tags: Sequence[str] = ("serve",)) -> SavedModelBundle:
        """Load the MetaGraph with these tags; starts the JVM if necessary.

        Raises FileNotFoundError, StartProblem, or TensorFlowJavaError for what TensorFlow Java refuses.
        """
        if isinstance(tags, str):
            raise InvalidArgument(f"tags is a list of strings, not one string; write [{tags!r}]")
        return cls(os.fspath(path), _load(path, "savedModel", list(tags)))

    def __getitem__(self, name: str) -> Signature:
        """The signature of this name; raises NotFound."""
        if name not in self.signatures:
            raise NotFound(f"{self._path} has no signature {name!r}; it has: {_listed(self.signatures)}")
        return self.signatures[name]

    def call(
        self, inputs: Mapping[str, Any] | None = None, /, *, signature: str = "serving_default", **arrays: Any
    ) -> dict[str, np.ndarray]:
        """Call a signature, as `bundle[signature](…)` does; an input named `signature` goes into the mapping."""
        return self[signature](inputs, **arrays)


class Graph(_Model):
    """A GraphDef, binary or text, imported by TensorFlow Java's Graph."""

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Graph:
        """Import the graph of a file; starts the JVM if necessary. Raises as SavedModelBundle.load does."""
        return cls(os.fspath(path), _load(path, "graphDef"))

    def run(self, feeds: Mapping[str, Any], fetches: Sequence[str] | str) -> Any:
        """As Session.run."""
        return Session(self).run(feeds, fetches)

    @property
    def operations(self) -> list[Operation]:
        """The graph's operations in its own order; raises ClosedError."""
        self._check_open()
        return [Operation(*row) for row in json.loads(str(self._java.operations()))]


def _load(path: str | os.PathLike[str], method: str, *arguments: Any) -> Any:
    if not os.path.exists(path):  # noqa: PTH110 - any kind of path
        raise FileNotFoundError(f"{os.fspath(path)}: there is no such file or folder")
    try:
        return getattr(jvm.model_class(), method)(os.path.abspath(path), *arguments)  # noqa: PTH100
    except jpype.JException as error:
        raise of_java(error) from None


def _close(java: Any) -> None:
    if jvm.alive():
        java.close()


def _tensors(described: dict[str, Any]) -> dict[str, TensorInfo]:
    return {
        name: TensorInfo(t["tensor"], t["datatype"], None if t["shape"] is None else tuple(t["shape"]))
        for name, t in sorted(described.items())
    }


def _plain(name: str, info: TensorInfo) -> str:
    if info.tensor is None:
        raise InvalidArgument(f"{name!r} is a composite tensor (sparse, ragged); run its parts with session.run")
    return info.tensor


def _as_array(name: str, value: Any, info: TensorInfo) -> np.ndarray:
    """An array unchanged; a number, string or list in the input's datatype, if it has one."""
    if isinstance(value, (np.ndarray, np.generic)) or info.dtype is None:
        return np.asarray(value)
    try:
        return np.asarray(value, dtype=info.dtype)
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidArgument(f"input {name!r} cannot become an array of {info.datatype}: {error}") from None


def _listed(names: Any) -> str:
    return ", ".join(names) or "none"
