"""Replace variables by constants in a graph without calls: reads of a variable become identities of its value.

Sources: the ops' own definitions in core/ops/resource_variable_ops.cc, state_ops.cc and control_flow_ops.cc.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from crossload.artifacts.graphs import protos
from crossload.artifacts.graphs.graph import operation_of
from crossload.edits.freezing.inlining import op_def
from crossload.edits.freezing.refusal import NeedsTensorFlow
from crossload.edits.freezing.restoring import VARIABLES
from crossload.releases.nodes import output_types, tensor_count

_INT32, _RESOURCE = 3, 20  # types.proto

# Ops that call functions: the attributes that name them, the one with the arguments' datatypes, the first input that is an argument.
FUNCTIONAL = {
    "Case": (("branches",), "Tin", 1), "StatelessCase": (("branches",), "Tin", 1),
    "If": (("then_branch", "else_branch"), "Tin", 1), "StatelessIf": (("then_branch", "else_branch"), "Tin", 1),
    "While": (("cond", "body"), "T", 0), "StatelessWhile": (("cond", "body"), "T", 0),
    "PartitionedCall": (("f",), "Tin", 0), "StatefulPartitionedCall": (("f",), "Tin", 0),
}  # fmt: skip
# Ops that pass a variable on; with a value instead of a reference or a handle they pass the value on.
_PASS_ON = {
    "Identity": "Identity", "Switch": "Switch", "Enter": "Enter", "RefIdentity": "Identity", "RefSwitch": "Switch", "RefEnter": "Enter",
}  # fmt: skip


@dataclass
class _Nodes:
    """The nodes of a graph without calls, or of a function's body, and which of them take an operation's tensors or an argument."""

    by_name: dict[str, Any]
    function: Any = None

    def __post_init__(self) -> None:
        self.users: dict[str, list[tuple[Any, int, str]]] = defaultdict(list)
        for node in self.by_name.values():
            for at, source in enumerate(node.input):
                if not source.startswith("^"):
                    name, _, index = source.partition(":")
                    # Without a colon it is an argument, or the graph's first output; a node and an argument may have one name.
                    self.users[name if index or self.function is None else f" {name}"].append((node, at, index.rpartition(":")[2] or "0"))

    def of_argument(self, name: str) -> list[tuple[Any, int, str]]:
        """The uses of the function's argument."""
        return self.users[f" {name}"]

    def rename_output(self, name: str, before: str, after: str) -> None:
        """Let all that takes this output of a node know its new name: only functions spell it."""
        if self.function is None:
            return
        old, new = f"{name}:{before}:", f"{name}:{after}:"
        for user, at, _ in self.users[name]:
            if user.input[at].startswith(old):
                user.input[at] = new + user.input[at][len(old) :]
        for result, source in self.function.ret.items():
            if source.startswith(old):
                self.function.ret[result] = new + source[len(old) :]

    def add_zero(self, name: str) -> str:
        """Add an int32 constant 0; returns the input that names it."""
        if name in self.by_name:
            raise NeedsTensorFlow(f"there is a node {name!r} already")
        any_node = next(iter(self.by_name.values()))
        constant = self.function.node_def.add(name=name) if self.function is not None else type(any_node)(name=name)
        constant.op, constant.attr["dtype"].type = "Const", _INT32
        constant.attr["value"].tensor.dtype = _INT32
        constant.attr["value"].tensor.tensor_shape.SetInParent()
        constant.attr["value"].tensor.int_val.append(0)
        self.by_name[name] = constant
        return f"{name}:output:0" if self.function is not None else name


class Library:
    """A graph's functions, to which `with_value` adds variants."""

    def __init__(self, library: Any) -> None:
        """Takes a FunctionDefLibrary, which it adds to."""
        self._library = library
        self._functions = {f.signature.name: f for f in library.function}
        self._made: dict[tuple[str, int, int], str] = {}

    def with_value(self, name: str, at: int, value: Any) -> str:
        """The name of this function with the tensor `value` (its dtype and shape) as argument `at`, instead of a variable."""
        key = (name, at, value.dtype)
        if key in self._made:
            return self._made[key]
        if name not in self._functions:
            raise NeedsTensorFlow(f"the function {name!r} is not in the graph")
        made = self._library.function.add()
        made.CopyFrom(self._functions[name])
        made.signature.name = self._made[key] = next(n for n in (f"{name}_{i}" for i in count(1)) if n not in self._functions)
        self._functions[made.signature.name] = made
        argument = made.signature.input_arg[at]
        argument.type = value.dtype
        del argument.handle_data[:]
        argument.ClearField("experimental_full_type")
        made.arg_attr.pop(at, None)
        made.resource_arg_unique_id.pop(at, None)
        nodes = _Nodes({n.name: n for n in made.node_def}, made)
        _pass(nodes, nodes.of_argument(argument.name), value, argument.name, self)
        return self._made[key]

    def returns_argument(self, name: str, at: int, number: int) -> bool:
        """Whether a loop's body gives its argument back unchanged; the result then has the datatype `number`."""
        function = self._functions[name]
        result, argument = function.signature.output_arg[at], function.signature.input_arg[at]
        nodes = {n.name: n for n in function.node_def}
        source, seen = function.ret[result.name], 0
        while ":" in source and nodes[operation_of(source)].op == "Identity" and seen < len(nodes):
            source, seen = nodes[operation_of(source)].input[0], seen + 1
        result.type = number
        del result.handle_data[:]
        result.ClearField("experimental_full_type")
        return bool(source == argument.name)


def replace(nodes: dict[str, Any], library: Library, value_of: Callable[[Any, Any], None]) -> None:
    """Replace the variables among the nodes, in place; `value_of(variable's node, TensorProto)` fills in the value of one.

    Functions of branches and loops that take a variable get the value instead. Raises NeedsTensorFlow for a use of a variable that
    is not one of reading its value.
    """
    graph = _Nodes(nodes)
    for node in [n for n in nodes.values() if n.op in VARIABLES]:
        is_handle = node.op == "VarHandleOp"
        constant = type(node)(name=node.name, op="Const", input=[at for at in node.input if at.startswith("^")])
        constant.attr["dtype"].type = node.attr["dtype"].type
        value_of(node, constant.attr["value"].tensor)
        node.CopyFrom(constant)
        _pass(graph, graph.users[node.name], node.attr["value"].tensor, node.name, library, is_handle=is_handle)


def _pass(nodes: _Nodes, uses: list[tuple[Any, int, str]], value: Any, name: str, library: Library, *, is_handle: bool = True) -> None:
    """Follow a variable's uses, which read or pass on the value from now on."""
    waiting = deque(uses)  # each input has one source, so that no use comes twice
    while waiting:
        user, at, _ = waiting.popleft()
        if user.op in _PASS_ON and at == 0 and (is_handle or user.op != "Identity"):
            user.op = _PASS_ON[user.op]
            user.attr["T"].type = value.dtype
            user.attr.pop("_output_shapes", None)  # they are those of the handle
            waiting.extend(nodes.users[user.name])
        elif is_handle and user.op in FUNCTIONAL:
            waiting.extend(_into_functions(nodes, user, at, value, library))
        elif is_handle:
            if user.op not in READS or at != 0:
                raise NeedsTensorFlow(f"{user.op} does more with the variable {name!r} than read it")
            READS[user.op](user, value.dtype, nodes)
        elif _takes_reference(user, at):
            raise NeedsTensorFlow(f"{user.op} changes, or needs as a reference, the variable {name!r}")


def _into_functions(nodes: _Nodes, user: Any, at: int, value: Any, library: Library) -> list[tuple[Any, int, str]]:
    """Give the value to the functions of a branch, a loop or a call; returns the uses of a loop's result, which is the variable, too."""
    attributes, types, first = FUNCTIONAL[user.op]
    position = at - first
    if position < 0:
        raise NeedsTensorFlow(f"{user.op} does more with a variable than read it")
    user.attr[types].list.type[position] = value.dtype
    user.attr.pop("_output_shapes", None)
    for function in [f for a in attributes for f in (user.attr[a].func, *user.attr[a].list.func) if f.name]:
        function.name = library.with_value(function.name, position, value)
    if types != "T":
        return []
    if not library.returns_argument(user.attr["body"].func.name, position, value.dtype):
        raise NeedsTensorFlow(f"the loop {user.name!r} changes which variable it uses")
    shapes = user.attr["output_shapes"].list.shape
    if position < len(shapes):
        shapes[position].CopyFrom(value.tensor_shape)
    return [use for use in nodes.users[user.name] if use[2] == str(position)]


def _identity(user: Any, datatype: int, nodes: _Nodes) -> None:
    user.op = "Identity"
    nodes.rename_output(user.name, "value", "output")
    _set_attributes(user, {"T": datatype})


def _gather(user: Any, datatype: int, nodes: _Nodes) -> None:
    if user.attr["batch_dims"].i:
        raise NeedsTensorFlow(f"{user.name!r} gathers along a batch")
    user.input.insert(2, nodes.add_zero(f"{user.name}/axis"))
    user.op = "GatherV2"
    _set_attributes(user, {"Tparams": datatype, "Tindices": user.attr["Tindices"].type, "Taxis": _INT32})


def _gather_nd(user: Any, datatype: int, nodes: _Nodes) -> None:
    user.op = "GatherNd"
    _set_attributes(user, {"Tparams": datatype, "Tindices": user.attr["Tindices"].type})


def _shape(user: Any, datatype: int, nodes: _Nodes) -> None:
    user.op = "Shape"
    _set_attributes(user, {"T": datatype, "out_type": user.attr["out_type"].type if "out_type" in user.attr else _INT32})


def _nothing(user: Any, datatype: int, nodes: _Nodes) -> None:
    user.op = "NoOp"
    del user.input[0]
    _set_attributes(user, {})


# What the ops that read a variable by its handle become, once they take its value.
READS: Mapping[str, Callable[[Any, int, _Nodes], None]] = {
    "ReadVariableOp": _identity,
    "ResourceGather": _gather,
    "ResourceGatherNd": _gather_nd,
    "VariableShape": _shape,
    "DisableCopyOnRead": _nothing,
}


def _set_attributes(node: Any, types: Mapping[str, int]) -> None:
    """Give the node these datatypes as its only attributes besides its shapes."""
    shapes = [node.attr["_output_shapes"].SerializeToString()] if "_output_shapes" in node.attr else []
    node.attr.clear()
    for name, number in types.items():
        node.attr[name].type = number
    for data in shapes:
        node.attr["_output_shapes"].ParseFromString(data)


def _takes_reference(node: Any, at: int) -> bool:
    """Whether the op's input at this place is a reference (ArgDef.is_ref)."""
    definition, first = op_def(node.op), 0
    for argument in definition.input_arg:
        first += tensor_count(node, definition, argument) or 0
        if at < first:
            return bool(argument.is_ref)
    return True


def shape_of(variable: Any) -> tuple[int, ...] | None:
    """The shape that a variable's node states; a scalar's shape of TensorFlow 1 may mean that it is unknown."""
    stated = protos.shape(variable.attr["shape"].shape) if "shape" in variable.attr else None
    return None if stated == () and variable.op == "Variable" else stated


def makes_handle(node: Any, definition: Any) -> bool:
    """Whether the node's op, of this OpDef, holds or makes something that may live longer than a run: a resource, or a reference."""
    return _RESOURCE in output_types(node, definition) or any(a.is_ref for a in definition.output_arg)
