"""Writes the nodes of a graph or of a function of its library: names, attributes and constants, by the OpDefs of the newest release."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from crossload.artifacts.graphs.graph import operation_of
from crossload.artifacts.messages import message_class
from crossload.contract import datatypes
from crossload.contract.datatypes import DATATYPES, for_people, from_enum
from crossload.errors import FrameError
from crossload.releases.nodes import output_types, tensor_count
from crossload.releases.registrations import releases
from crossload.support.reach import reached

# types.proto; resources have no contract name.
RESOURCE = "DT_20"
_LISTS = {"type": "type", "int": "i", "float": "f", "bool": "b", "string": "s"}
_MOST_SHARED = 64


class Value(NamedTuple):
    """A tensor of the graph, `operation:index`, and its datatype (the contract's name)."""

    tensor: str
    datatype: str


class Unsupported(Exception):
    """What of an operator has no counterpart in TensorFlow; the message is a clause for a sentence that names the operator."""


Operand = Any  # a Value, or an array, a number or a list that becomes a constant


class GraphBuilder:
    """The nodes of a graph, or of a function; `library` holds the functions that they call, and is shared with those."""

    def __init__(self, library: dict[str, Any] | None = None) -> None:
        self.nodes: dict[str, Any] = {}
        self.library: dict[str, Any] = {} if library is None else library
        self._scope, self._begun = "", 0
        self._shared: dict[tuple[str, tuple[int, ...], bytes], Value] = {}

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Inside the block, nodes are named after `name`."""
        before, self._scope, self._begun = self._scope, name, len(self.nodes)
        try:
            yield
        finally:
            self._scope = before

    def added(self) -> list[Any]:
        """The nodes that were added in this scope."""
        return list(self.nodes.values())[self._begun :]

    def add(self, op: str, *inputs: Operand, name: str = "", **attributes: Any) -> Value:
        """Add a node and return its first output, see `outputs`."""
        return self.outputs(op, *inputs, name=name, **attributes)[0]

    def outputs(self, op: str, *inputs: Operand, name: str = "", **attributes: Any) -> list[Value]:
        """Add a node, and return its outputs.

        An operand is a Value, or becomes a constant of the datatype that the op takes there (whole numbers: int32, fractions: float32); a
        list is an operand for an argument of many tensors. Datatypes and counts are taken from the operands; `attributes` are the others.
        """
        definition = releases()[-1].op(op)
        if definition is None:
            raise KeyError(f"no release registers the op {op}")
        node = message_class("tensorflow.NodeDef")(name=self._unused(name or f"{self._scope}/{op}".strip("/")), op=op)
        kinds = {a.name: a.type for a in definition.attr}
        for key, value in attributes.items():
            _set(node.attr[key], kinds[key], value)
        given = list(zip(definition.input_arg, inputs, strict=True))
        # Values first: they say of which datatype constants are.
        for argument, operand in given:
            _take_datatypes(node, argument, operand)
        for argument, operand in given:
            many = operand if argument.number_attr or argument.type_list_attr else [operand]
            for one in many:
                made = one if isinstance(one, Value) else self.constant(one, _datatype_for(node, definition, argument, one))
                _take_datatypes(node, argument, [made] if argument.number_attr else made)
                node.input.append(made.tensor.removesuffix(":0"))
            if argument.number_attr:
                node.attr[argument.number_attr].i = len(many)
        self.nodes[node.name] = node
        return [Value(f"{node.name}:{n}", from_enum(number)) for n, number in enumerate(output_types(node, definition))]

    def copy(self, node: Any, inputs: Sequence[Value], datatypes_made: Sequence[str]) -> list[Value]:
        """Add a copy of a NodeDef with these inputs; its outputs, of these datatypes."""
        made = message_class("tensorflow.NodeDef")(name=self._unused(f"{self._scope}/{node.op}".strip("/")), op=node.op)
        for key, value in node.attr.items():
            made.attr[key].CopyFrom(value)
        made.input.extend(value.tensor.removesuffix(":0") for value in inputs)
        self.nodes[made.name] = made
        return [Value(f"{made.name}:{n}", datatype) for n, datatype in enumerate(datatypes_made)]

    def placeholder(self, name: str, datatype: str, shape: Sequence[int] | None) -> Value:
        """An input of the graph."""
        return self.add("Placeholder", name=name, dtype=datatype, shape=shape)

    def constant(self, value: Any, datatype: str, name: str = "") -> Value:
        """A constant; small ones without a name are shared by all that need the same."""
        try:
            array = np.asarray(value, dtype=object if datatype == "BYTES" else datatypes.numpy_dtype(datatype))
        except (OverflowError, FrameError) as error:
            raise Unsupported(f"takes no {for_people(datatype)} in TensorFlow ({error})") from error
        key = (datatype, array.shape, b"" if datatype == "BYTES" else array.tobytes()) if array.size <= _MOST_SHARED else None
        if not name and key and datatype != "BYTES" and key in self._shared:
            return self._shared[key]
        node = message_class("tensorflow.NodeDef")(name=self._unused(name or f"{self._scope}/Const".strip("/")), op="Const")
        node.attr["dtype"].type = enum_of(datatype)
        tensor = node.attr["value"].tensor
        tensor.dtype = enum_of(datatype)
        tensor.tensor_shape.SetInParent()
        for size in array.shape:
            tensor.tensor_shape.dim.add(size=size)
        if datatype == "BYTES":
            tensor.string_val.extend(array.ravel())
        else:
            tensor.tensor_content = bytes(datatypes.encode(array))
        self.nodes[node.name] = node
        made = Value(f"{node.name}:0", datatype)
        if not name and key:
            self._shared[key] = made
        return made

    def named(self, value: Value, name: str) -> Value:
        """The value under this name: that of its node, if it is the last one of this scope and makes nothing else, else of an identity."""
        node = next(reversed(self.nodes.values()))
        single = len(output_types(node, releases()[-1].op(node.op))) == 1
        if f"{node.name}:0" != value.tensor or not single or not self.added() or node.op in ("Const", "Placeholder"):
            return self.add("Identity", value, name=name)
        del self.nodes[node.name]
        node.name = self._unused(name)
        self.nodes[node.name] = node
        return Value(f"{node.name}:0", value.datatype)

    def function(self, name: str, arguments: Sequence[Value], results: Sequence[Value]) -> str:
        """Add the nodes as a function to the library; `arguments` are its placeholders. Returns its name."""
        name = _first_unused(name, self.library)
        nodes = self._needed([r.tensor for r in results])
        function = message_class("tensorflow.FunctionDef")()
        function.signature.name = name
        inner = {}
        for number, argument in enumerate(arguments):
            function.signature.input_arg.add(name=f"x{number}", type=enum_of(argument.datatype))
            inner[argument.tensor] = f"x{number}"
        for number, result in enumerate(results):
            function.signature.output_arg.add(name=f"y{number}", type=enum_of(result.datatype))
            function.ret[f"y{number}"] = self._in_function(result.tensor, inner)
        for node in nodes:
            if f"{node.name}:0" in inner:
                continue
            copy = function.node_def.add()
            copy.CopyFrom(node)
            del copy.input[:]
            copy.input.extend(at if at.startswith("^") else self._in_function(at, inner) for at in node.input)
        self.library[name] = function
        return name

    def graph_def(self, tensors: Iterable[str]) -> Any:
        """What these tensors need, as a GraphDef of the version that the newest release of TensorFlow writes."""
        graph = message_class("tensorflow.GraphDef")()
        graph.versions.producer = releases()[-1].graph_def
        graph.node.extend(self._needed(tensors))
        graph.library.function.extend(self.library.values())
        return graph

    def _needed(self, tensors: Iterable[str]) -> list[Any]:
        kept = reached(map(operation_of, tensors), lambda name: map(operation_of, self.nodes[name].input))
        return [node for node in self.nodes.values() if node.name in kept]

    def _in_function(self, tensor: str, arguments: Mapping[str, str]) -> str:
        """A function's nodes name a tensor by its output's argument (function.proto): `node:output_arg:index`."""
        operation, _, index = tensor.partition(":")
        if (found := arguments.get(f"{operation}:{index or 0}")) is not None:
            return found
        node, left = self.nodes[operation], int(index or 0)
        for argument in releases()[-1].op(node.op).output_arg:
            count = tensor_count(node, releases()[-1].op(node.op), argument) or 0
            if left < count:
                return f"{operation}:{argument.name}:{left}"
            left -= count
        raise KeyError(tensor)

    def _unused(self, name: str) -> str:
        return _first_unused(operation_name(name), self.nodes)


def operation_name(text: str) -> str:
    """The text in the letters that an operation's name may have (core/framework/node_def_util.cc)."""
    return re.sub(r"^[^A-Za-z0-9.]|[^A-Za-z0-9_./-]", "_", text).lstrip("_") or "tensor"


def enum_of(datatype: str) -> int:
    """The number of a datatype in types.proto."""
    if datatype in DATATYPES:
        return DATATYPES[datatype].enum
    if not datatype.startswith("DT_"):
        raise Unsupported("takes a datatype that TensorFlow does not have")
    return int(datatype.removeprefix("DT_"))


def _first_unused(name: str, taken: Mapping[str, Any]) -> str:
    if name not in taken:
        return name
    number = 1
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"


def _take_datatypes(node: Any, argument: Any, operand: Any) -> None:
    """Set the attributes that an argument's datatypes decide."""
    values = [one for one in (operand if isinstance(operand, list) else [operand]) if isinstance(one, Value)]
    if argument.type_list_attr and isinstance(operand, list):
        types = node.attr[argument.type_list_attr].list
        types.SetInParent()
        del types.type[:]
        types.type.extend(enum_of(v.datatype) for v in values)
    elif argument.type_attr:
        for value in values:
            attribute = node.attr[argument.type_attr]
            if attribute.type not in (0, enum_of(value.datatype)):
                raise Unsupported(f"takes {for_people(from_enum(attribute.type))} and {for_people(value.datatype)} at once")
            attribute.type = enum_of(value.datatype)


def _datatype_for(node: Any, definition: Any, argument: Any, value: Any) -> str:
    """The datatype of a constant for an argument: the op's own, the one that Values or the array decided, else by its numbers."""
    if argument.type:
        return from_enum(argument.type)
    if argument.type_attr in node.attr:
        return from_enum(node.attr[argument.type_attr].type)
    if isinstance(value, np.ndarray):
        return datatypes.of_array(value)
    return {"b": "BOOL", "f": "FP32"}.get(np.asarray(value).dtype.kind, "INT32")


def _set(attribute: Any, kind: str, value: Any) -> None:
    if kind.startswith("list("):
        inner = kind[5:-1]
        if inner == "shape":
            attribute.list.SetInParent()
            for shape in value:
                _set_shape(attribute.list.shape.add(), shape)
        else:
            getattr(attribute.list, _LISTS[inner]).extend(enum_of(v) if inner == "type" else v for v in value)
            attribute.list.SetInParent()
    elif kind == "type":
        attribute.type = enum_of(value)
    elif kind == "shape":
        _set_shape(attribute.shape, value)
    elif kind == "func":
        attribute.func.name = value
    elif kind == "string":
        attribute.s = value.encode() if isinstance(value, str) else value
    else:
        setattr(attribute, {"int": "i", "float": "f", "bool": "b"}[kind], value)


def _set_shape(message: Any, shape: Sequence[int] | None) -> None:
    message.SetInParent()
    message.unknown_rank = shape is None
    for size in shape or ():
        message.dim.add(size=size)
