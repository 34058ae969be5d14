"""Graphs as every TensorFlow worker runs them, by whatever API: edits for running anywhere, bindings to tensors, refusals.

Imports no TensorFlow: messages and operations are passed in.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import checkpoint_files
from .serving import Refusal, check_complete, check_input

# "You must feed a value for placeholder tensor 'table' with dtype resource"
_UNFED_HANDLE = re.compile(r"feed a value for placeholder tensor '([^']*)' with dtype (?:resource|variant)")
_UNTELLING = ("Graph execution error", "Detected at node", "<stack traces", "root error(s) found", "Traceback", "File ", "Node: ")
# TensorFlow uses google.rpc's codes; these are not a refusal by a worker (e.g. FAILED_PRECONDITION for an uninitialised table).
_NOT_OURS = {"FAILED_PRECONDITION", "PERMISSION_DENIED", "OK"}


@dataclass(frozen=True)
class Input:
    """What an input takes: the API's own handle, the contract's datatype (None: cannot be fed), the shape (-1: free, None: any rank)."""

    spec: Any
    datatype: str | None
    shape: list[int] | None
    type_name: str = ""

    def check(self, name: str, array: np.ndarray) -> None:
        """Raise Refusal unless the array fits: UNIMPLEMENTED where the datatype cannot be fed at all."""
        if self.datatype is None:
            raise Refusal("UNIMPLEMENTED", f"input {name!r} is {self.type_name}, which cannot be fed from Python")
        check_input(name, array, self.datatype, self.shape)


def check_inputs(signature: str, inputs: dict[str, np.ndarray], takes: Mapping[str, Input]) -> None:
    """Raise Refusal unless a request has every input of a signature, and each fits."""
    check_complete(signature, inputs, takes)
    for name, array in inputs.items():
        takes[name].check(name, array)


def load_op_libraries(paths: Iterable[str], load: Callable[[str], object], version: str) -> None:
    """Load the user's libraries of custom ops into this process; raises Refusal for one that this TensorFlow does not load."""
    for path in paths:
        _check_whole(Path(path))
        try:
            load(path)
        except Exception as error:
            raise Refusal(
                "INVALID_ARGUMENT",
                f"the op library {path} does not load in TensorFlow {version}: {telling_line(error)}; build it with this release's headers "
                "(tf.sysconfig.get_include()) and flags",
            ) from error


def _check_whole(library: Path) -> None:
    """Raise Refusal (INVALID_ARGUMENT) for a library that is none, or that is cut off: the loader would die of that by SIGBUS."""
    try:
        with library.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise Refusal("INVALID_ARGUMENT", f"the op library {library} cannot be read: {error.strerror}") from error
    if head[:4] != b"\x7fELF":
        if sys.platform == "linux":
            raise Refusal("INVALID_ARGUMENT", f"{library} is no shared library; --op-library takes the .so that registers the ops")
        return
    # ELF-64: the table of sections is the file's last part (elf.h, Elf64_Ehdr: e_shoff, e_shentsize, e_shnum).
    end = int.from_bytes(head[40:48], "little") + int.from_bytes(head[58:60], "little") * int.from_bytes(head[60:62], "little")
    if len(head) < 64 or library.stat().st_size < end:
        raise Refusal("INVALID_ARGUMENT", f"the op library {library} is cut off; copy or build it again")


def read(path: Path, message: Any) -> Any:
    """The GraphDef (of the class `message`) in a file, binary or text by its content. Raises Refusal."""
    try:
        graph_def = checkpoint_files.parsed(path, message)
    except checkpoint_files.CannotRestore as error:
        raise Refusal("INVALID_ARGUMENT", str(error)) from error
    if not graph_def.node:
        raise Refusal("INVALID_ARGUMENT", f"{path} holds no nodes of a GraphDef")
    return graph_def


def make_runnable(graph_def: Any) -> dict[str, str]:
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


def tensor(
    name: str,
    bound: str,
    results: dict[str, str],
    operation: Callable[[str], tuple[Any, str, int] | None],
    names: Callable[[], Iterable[str]],
) -> tuple[Any, int]:
    """The operation's handle and the index of the tensor that an input or output is bound to (`operation:index`).

    `results` maps a `_Retval` node to the tensor it returns; `operation` gives an operation's handle, type and number of outputs.
    Raises Refusal (NOT_FOUND, INVALID_ARGUMENT), with near names; Java's GraphModel has the same sentences.
    """

    def unbound(code: str, why: str) -> Refusal:
        return Refusal(code, f"'{name}' is bound to '{bound}', {why}; bind it to a tensor that is there")

    if bound.startswith("^"):
        raise unbound("INVALID_ARGUMENT", "a control dependency, which has no tensor")
    wanted, _, index = bound.partition(":")
    wanted, _, index = results.get(wanted, f"{wanted}:{index or 0}").partition(":")
    found = operation(wanted)
    if found is None or not (index or "0").isdecimal():
        raise unbound("NOT_FOUND", f"which is not in the graph{_near(wanted, list(names()))}")
    handle, kind, has = found
    position = int(index or 0)
    if not 0 <= position < has:
        count = "1 output" if has == 1 else f"{has} outputs"
        raise unbound("INVALID_ARGUMENT", f"but the operation '{wanted}' ({kind}) has {count}")
    return handle, position


def refusal(code: str, message: str) -> Refusal:
    """TensorFlow's error as a refusal: a code that is a worker's own to give, and the line that names the cause."""
    if handle := _UNFED_HANDLE.search(message):
        return Refusal(
            "INVALID_ARGUMENT",
            f"freezing left the handle of a table or variable, '{handle[1]}', as an input, which nothing can feed; freeze the "
            "model again from its SavedModel or checkpoint: crossload convert SOURCE frozen.pb",
        )
    return Refusal("INTERNAL" if code in _NOT_OURS else code, telling_line(message))


def telling_line(error: Exception | str) -> str:
    """The first line of an error's message that names a cause: TensorFlow puts the place before the cause."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not any(words in line for words in _UNTELLING)]
    return (telling or lines or [type(error).__name__])[0][:500]


def _near(name: str, names: list[str]) -> str:
    """What follows an error about a name: `; near it are 'a', 'b'`, or empty if no name is near."""
    # Spelling is compared letter by letter, which a hostile graph could make last for minutes.
    known = [n for n in names[:20_000] if len(n) <= 128]
    containing = sorted((n for n in names[:20_000] if name and name.lower() in n.lower()), key=len)[:3]
    found = containing or difflib.get_close_matches(name[:128], known, 3, 0.5)
    return f"; near it are {', '.join(repr(n) for n in found)}" if found else ""
