"""Graphs that TensorFlow runs in a session, as in TensorFlow 1: GraphDef and .meta files, and the edits for running them anywhere."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from . import restore, tensors
from .serving import Answer, Refusal, Request, check_complete, check_input, nanoseconds

# "You must feed a value for placeholder tensor 'table' with dtype resource"
_UNFED_HANDLE = re.compile(r"feed a value for placeholder tensor '([^']*)' with dtype (?:resource|variant)")


class SessionModel:
    """A graph in a session, run by the names of its tensors."""

    note: str | None = None  # how it was loaded, if not in the usual way

    def __init__(self, session: Any, signatures: dict[str, dict[str, Any]], results: dict[str, str] | None = None) -> None:
        """`signatures` are bindings to `operation:index`; `results` maps a `_Retval` node to the tensor it returns.

        Raises Refusal (NOT_FOUND, INVALID_ARGUMENT) for a tensor that the graph does not have, with near names.
        """
        self._session, self._results = session, results or {}
        self._takes = {
            name: {n: Input.of(self._tensor(n, bound)) for n, bound in binding["inputs"].items()} for name, binding in signatures.items()
        }
        self._gives = {name: {n: self._tensor(n, bound) for n, bound in binding["outputs"].items()} for name, binding in signatures.items()}

    def run(self, signature: str, inputs: dict[str, np.ndarray], outputs: list[str]) -> Answer:
        """Feed the inputs, fetch the outputs."""
        takes, gives = self._takes[signature], self._gives[signature]
        check_complete(signature, inputs, takes)
        for name, array in inputs.items():
            takes[name].check(name, array)
        feeds = {takes[name].spec: array for name, array in inputs.items()}
        try:
            results, took = nanoseconds(lambda: self._session.run([gives[n] for n in outputs], feeds))
        except tf.errors.InvalidArgumentError as error:
            if handle := _UNFED_HANDLE.search(str(error)):
                raise Refusal(
                    "INVALID_ARGUMENT",
                    f"freezing left the handle of a table or variable, '{handle[1]}', as an input, which nothing can feed; freeze the "
                    "model again from its SavedModel or checkpoint: crossload convert SOURCE frozen.pb",
                ) from error
            raise
        return Answer({n: as_array(r, gives[n].dtype) for n, r in zip(outputs, results, strict=True)}, took)

    def _tensor(self, name: str, bound: str) -> Any:
        """The graph's tensor that an input or output is bound to. Java's GraphModel has the same error for an unknown one."""

        def unbound(code: str, why: str) -> Refusal:
            return Refusal(code, f"'{name}' is bound to '{bound}', {why}; bind it to a tensor that is there")

        if bound.startswith("^"):
            raise unbound("INVALID_ARGUMENT", "a control dependency, which has no tensor")
        wanted, _, index = bound.partition(":")
        wanted, _, index = self._results.get(wanted, f"{wanted}:{index or 0}").partition(":")
        try:
            operation, position = self._session.graph.get_operation_by_name(wanted), int(index or 0)
        except (KeyError, ValueError) as error:
            there = [op.name for op in self._session.graph.get_operations()]
            raise unbound("NOT_FOUND", f"which is not in the graph{_near(wanted, there)}") from error
        if not 0 <= position < (has := len(operation.outputs)):
            count = "1 output" if has == 1 else f"{has} outputs"
            raise unbound("INVALID_ARGUMENT", f"but the operation '{wanted}' ({operation.type}) has {count}")
        return operation.outputs[position]


def _near(name: str, names: list[str]) -> str:
    """What follows an error about a name: `; near it are 'a', 'b'`, or empty if no name is near."""
    # Spelling is compared letter by letter, which a hostile graph could make last for minutes.
    known = [n for n in names[:20_000] if len(n) <= 128]
    containing = sorted((n for n in names[:20_000] if name and name.lower() in n.lower()), key=len)[:3]
    found = containing or difflib.get_close_matches(name[:128], known, 3, 0.5)
    return f"; near it are {', '.join(repr(n) for n in found)}" if found else ""


def new_session() -> Any:
    """A session on a graph of its own that takes nodes pinned to absent devices elsewhere."""
    return tf.compat.v1.Session(graph=tf.Graph(), config=tf.compat.v1.ConfigProto(allow_soft_placement=True))


def load_graph_def(request: Request) -> SessionModel:
    """A .pb or .pbtxt in a session, as a receiver would import it: nothing in it is run first. Raises Refusal."""
    graph_def = read_graph_def(Path(request.path))
    results = _make_runnable(graph_def)
    session = new_session()
    with session.graph.as_default():
        tf.import_graph_def(graph_def, name="")
    return SessionModel(session, request.signatures, results)


def load_meta_graph(request: Request) -> SessionModel:
    """A .meta with the checkpoint beside it, its variables restored and its tables filled. Raises Refusal."""
    session = new_session()
    try:
        meta_graph, checkpoint = restore.meta_graph_of(Path(request.path))
        note = restore.restore(session, meta_graph, checkpoint)
    except restore.CannotRestore as error:
        raise Refusal("INVALID_ARGUMENT", str(error)) from error
    model = SessionModel(session, request.signatures)
    model.note = note
    return model


def read_graph_def(path: Path) -> Any:
    """The GraphDef in a file, binary or text by its content: many a .pb holds text. Raises Refusal."""
    try:
        graph_def = restore.parsed(path, tf.compat.v1.GraphDef)
    except restore.CannotRestore as error:
        raise Refusal("INVALID_ARGUMENT", str(error)) from error
    if not graph_def.node:
        raise Refusal("INVALID_ARGUMENT", f"{path} holds no nodes of a GraphDef")
    return graph_def


@dataclass(frozen=True)
class Input:
    """What an input takes: a tensor or TensorSpec, the contract's datatype (None: cannot be fed), the shape (None: any rank)."""

    spec: Any
    datatype: str | None
    shape: list[int] | None

    @classmethod
    def of(cls, spec: Any) -> Input:
        """Worked out once, at load: it takes longer than a small model's run."""
        try:
            datatype = tensors.datatype_of(spec.dtype.base_dtype.as_numpy_dtype)
        except (ValueError, TypeError):
            datatype = None
        return cls(spec, datatype, None if spec.shape.rank is None else [-1 if d is None else d for d in spec.shape.as_list()])

    def check(self, name: str, array: np.ndarray) -> None:
        """Raise Refusal unless the array fits: UNIMPLEMENTED where the datatype cannot be fed at all."""
        if self.datatype is None:
            raise Refusal("UNIMPLEMENTED", f"input {name!r} is {self.spec.dtype.name}, which cannot be fed from Python")
        check_input(name, array, self.datatype, self.shape)


def as_array(value: Any, dtype: Any) -> np.ndarray:
    """A fetched value as an array; a scalar string comes as bare bytes, which NumPy would cut at its last NUL bytes."""
    if dtype.base_dtype != tf.string:
        return np.asarray(value)
    array = np.empty(np.shape(value), dtype=object)
    array[...] = value
    return array


def _make_runnable(graph_def: Any) -> dict[str, str]:
    """Free all nodes from devices, turn `_Arg` nodes into placeholders and drop `_Retval` nodes.

    Gives each dropped node's name with the tensor it returned. `_Arg` and `_Retval` (core/ops/function_ops.cc) are what a
    function's body has for parameters and results; graphs cut from functions have them, and no session runs them.
    """
    results = {}
    kept = []
    for node in graph_def.node:
        node.device = ""
        if node.op in ("_Retval", "_DeviceRetval"):
            results[node.name] = node.input[0]
            continue
        if node.op in ("_Arg", "_DeviceArg"):
            datatype = node.attr["T"].type
            node.op = "Placeholder"
            node.attr.clear()
            node.attr["dtype"].type = datatype
            node.attr["shape"].shape.unknown_rank = True
        kept.append(node)
    if results:
        nodes = [type(n).FromString(n.SerializeToString()) for n in kept]
        del graph_def.node[:]
        graph_def.node.extend(nodes)
    return results
