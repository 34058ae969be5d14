"""A graph's content as digests, independent of the names, counters and orders of the exporting process (graph.proto, function.proto).

The digest of a node covers its op, its attributes and, recursively, its input nodes. Names of inner nodes, which TensorFlow numbers as
it builds them, do not count, nor does the order of nodes. A function is its body. artifacts.canonical.canonical_hash lists what counts.
"""

from __future__ import annotations

import hashlib
import struct
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from crossload.artifacts.graphs import protos
from crossload.contract.datatypes import from_enum
from crossload.support.reach import reached

# Settings of a session or a process, not of the computation; names of resources hold random numbers and paths of the exporting machine.
_NO_CONTENT = {"shared_name", "container", "debug_name", "allowed_devices", "api_implements", "api_preferred_device"}
_OF_CALLS = {"config", "config_proto", "executor_type"}
# Resources without inputs: several alike are distinguished by their other users, as a table by the op that fills it.
_RESOURCES = ("HashTable", "HashTableV2", "MutableHashTable", "MutableHashTableV2", "MutableDenseHashTableV2", "VarHandleOp",
              "Variable", "VariableV2", "AnonymousHashTable", "BoostedTreesEnsembleResourceHandleOp")  # fmt: skip
# Loops and resources make a node depend on its own dependents: this is the number of rounds that pass digests on.
_ROUNDS = 3
_SMALL = 1 << 16


class GraphContent:
    """Digests of a GraphDef's nodes."""

    def __init__(self, proto: Any) -> None:
        self.nodes = {node.name: node for node in proto.node}
        self.library = {function.signature.name: function for function in proto.library.function}
        self._functions: dict[str, bytes] = {}

    def nodes_of(self, operations: Iterable[str], known: Mapping[str, bytes]) -> dict[str, bytes]:
        """Digests of these operations and of all their dependencies, by name.

        `known` gives, by operation, the replacement of a node: a variable's value, an asset's bytes, an input's name. Raises
        ArtifactError where functions call each other too deeply.
        """

        def taken(name: str) -> list[str]:
            return [] if name in known or name not in self.nodes else [source(at) for at in self.nodes[name].input]

        wanted = reached(operations, taken) & self.nodes.keys()
        return self._digest_nodes({name: self.nodes[name] for name in wanted}, known)

    def sinks(self, digests: Mapping[str, bytes]) -> list[bytes]:
        """The sorted digests of nodes that no node takes or waits for; unused placeholders are left out."""
        taken = {source(at) for node in self.nodes.values() for at in node.input}
        return sorted(d for name, d in digests.items() if name not in taken and self.nodes[name].op != "Placeholder")

    def _digest_nodes(self, nodes: Mapping[str, Any], known: Mapping[str, bytes]) -> dict[str, bytes]:
        order = _topological(nodes)
        own = {name: hashed(b"node", node.op.encode(), self._operation(node), *self._attributes(node)) for name, node in nodes.items()}
        loops = any(node.op == "NextIteration" for node in nodes.values())
        takers: dict[str, list[tuple[str, int]]] = defaultdict(list)
        for name, node in nodes.items():
            for at, tensor_name in enumerate(node.input):
                if (taken := nodes.get(source(tensor_name))) is not None and taken.op in _RESOURCES and taken.name not in known:
                    takers[taken.name].append((name, at))
        found: dict[str, bytes] = {}
        for _ in range(_ROUNDS if loops or len(takers) > 1 else 1):
            before = found
            found = {}
            for name in order:
                if name in known:
                    found[name] = known[name]
                    continue
                used = sorted(hashed(before[taker], str(at).encode()) for taker, at in takers.get(name, ())) if before else []
                # An input that comes later closes a loop: use its digest of the last round.
                inputs = [self._taken(at, found, before, known) for at in nodes[name].input if not at.startswith("^")]
                waits = sorted(self._taken(at, found, before, known) for at in nodes[name].input if at.startswith("^"))
                found[name] = hashed(own[name], hashed(*inputs), hashed(*waits), hashed(*used))
        return found

    def _taken(self, at: str, found: Mapping[str, bytes], before: Mapping[str, bytes], known: Mapping[str, bytes]) -> bytes:
        name = source(at)
        digest = known.get(at) or known.get(name) or found.get(name) or before.get(name) or b"later"
        output = at.removeprefix("^").partition(":")[2] or ("" if at.startswith("^") else "0")
        return digest + output.encode()

    def _operation(self, node: Any) -> bytes:
        """A node may call a function as if it were an op."""
        return self._function(node.op) if node.op in self.library else b""

    def _attributes(self, node: Any) -> Iterable[bytes]:
        skipped = _NO_CONTENT | (_OF_CALLS if node.op.endswith("PartitionedCall") else set())
        for key in sorted(node.attr):
            if not key.startswith("_") and key not in skipped:
                yield hashed(key.encode(), self._attribute(node.attr[key]))

    def _attribute(self, value: Any) -> bytes:
        kind = value.WhichOneof("value") or ""
        if kind == "tensor":
            return tensor(value.tensor)
        if kind == "func":
            return self._called(value.func)
        if kind == "list" and (value.list.func or value.list.tensor):
            return hashed(*map(self._called, value.list.func), *map(tensor, value.list.tensor))
        return hashed(kind.encode(), value.SerializeToString(deterministic=True))

    def _called(self, function: Any) -> bytes:
        attributes = (hashed(key.encode(), self._attribute(function.attr[key])) for key in sorted(function.attr) if not key.startswith("_"))
        name = self._function(function.name) if function.name in self.library else function.name.encode()
        return hashed(b"function", name, *attributes)

    def _function(self, name: str) -> bytes:
        """A function by its body, so that its name, which holds a counter of the process, does not count."""
        if name not in self._functions:
            self._functions[name] = b"recursive"
            self._functions[name] = self._body(self.library[name])
        return self._functions[name]

    def _body(self, function: Any) -> bytes:
        signature = function.signature
        known = {argument.name: hashed(b"argument", str(at).encode(), _kind(argument)) for at, argument in enumerate(signature.input_arg)}
        nodes = {node.name: node for node in function.node_def}
        digests = self._digest_nodes(nodes, known)
        results = [hashed(_kind(a), self._taken(function.ret[a.name], digests, {}, known)) for a in signature.output_arg]
        effects = sorted(digests.get(name, b"") for name in function.control_ret.values())
        taken = {source(at) for node in function.node_def for at in node.input} | {source(at) for at in function.ret.values()}
        ends = sorted(digest for name, digest in digests.items() if name not in taken)
        return hashed(*known.values(), hashed(*results), hashed(*effects), hashed(*ends))


def hashed(*parts: bytes) -> bytes:
    """A digest of the parts in order; each part is delimited from the next."""
    if sum(map(len, parts)) < _SMALL:
        return hashlib.sha256(b"".join([len(part).to_bytes(8, "little") + part for part in parts])).digest()
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()


def value(datatype: str, shape: Sequence[int], data: bytes) -> bytes:
    """The digest of an array: its datatype, its shape, and its little-endian bytes in row-major order (for strings, their digest)."""
    return value_of_chunks(datatype, shape, len(data), [data])


def value_of_chunks(datatype: str, shape: Sequence[int], size: int, chunks: Iterable[bytes]) -> bytes:
    """`value` of `size` bytes that come in pieces."""
    digest = hashlib.sha256()
    for part in (b"tensor", datatype.encode(), struct.pack(f"<{len(shape)}q", *shape)):
        digest.update(len(part).to_bytes(8, "little") + part)
    digest.update(size.to_bytes(8, "little"))
    for chunk in chunks:
        digest.update(chunk)
    return digest.digest()


def tensor(proto: Any) -> bytes:
    """The digest of a TensorProto's value, independent of the field in which the writer stored it (tensor.proto).

    A writer may omit a tail of equal elements, so the digest is the same with and without that tail.
    """
    datatype, shape = from_enum(proto.dtype), protos.shape(proto.tensor_shape)
    packed = protos.packed(proto, datatype)
    if packed is None or shape is None:
        return hashed(b"proto", proto.SerializeToString(deterministic=True))
    data, width = packed
    return value(datatype, shape, data[: _told(data, width)])


def _told(data: bytes, width: int) -> int:
    """How many bytes remain without the repeats of the last element; an element has `width` bytes."""
    if len(data) < 2 * width or data[-width:] != data[-2 * width : -width]:
        return len(data)
    # Equal from `low` on: compared in halves, because bytes are compared much faster together than one by one.
    low, high = 0, len(data) // width - 1
    while low < high:
        middle = (low + high) // 2
        if data[middle * width : -width] == data[(middle + 1) * width :]:
            high = middle
        else:
            low = middle + 1
    return (low + 1) * width


def _topological(nodes: Mapping[str, Any]) -> list[str]:
    """The names, each after its inputs, except for a loop's back edge; nodes of other cycles, which every runtime refuses, come last."""
    missing: dict[str, int] = {}
    takers: dict[str, list[str]] = defaultdict(list)
    for name, node in nodes.items():
        givers = {s for s in map(source, node.input) if s in nodes and nodes[s].op != "NextIteration"}
        missing[name] = len(givers)
        for giver in givers:
            takers[giver].append(name)
    order = [name for name, count in missing.items() if not count]
    for name in order:  # grows while it is walked
        for taker in takers[name]:
            missing[taker] -= 1
            if not missing[taker]:
                order.append(taker)
    return order + sorted(name for name, count in missing.items() if count)


def source(at: str) -> str:
    """The operation (in a function: the argument) at the start of a node's input or a tensor's name."""
    return at.removeprefix("^").partition(":")[0]


def _kind(argument: Any) -> bytes:
    """An argument's datatype, without its name."""
    return hashed(*(f"{f}={getattr(argument, f)}".encode() for f in ("type", "type_attr", "number_attr", "type_list_attr", "is_ref")))
