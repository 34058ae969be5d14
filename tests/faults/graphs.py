"""Faults of frozen graphs: functions that change a GraphDef message in place, and return False where a graph offers nothing to change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from crossload.artifacts.graphs.graph import operation_of, tensor_of
from crossload.verbs.verify.inner_graph import constant

FLOAT, HALF, INT32, INT64, BFLOAT16 = 1, 19, 3, 9, 14
_NUMPY = {FLOAT: np.float32, HALF: np.float16, INT32: np.int32, INT64: np.int64, 2: np.float64}
_UNITARY = {"Identity", "Snapshot", "StopGradient"}


@dataclass
class Site:
    """A frozen graph with the tensors of one signature, and one recorded request with its answer."""

    graph: Any
    inputs: dict[str, str]
    outputs: dict[str, str]
    request: dict[str, np.ndarray]
    answer: dict[str, np.ndarray]

    @property
    def nodes(self) -> dict[str, Any]:
        """The nodes by name."""
        return {n.name: n for n in self.graph.node}

    def datatype(self, output: str) -> int:
        """The number of an output's datatype."""
        numbers = {"float32": FLOAT, "float16": HALF, "int32": INT32, "int64": INT64, "float64": 2, "bfloat16": BFLOAT16}
        return numbers.get(self.answer[output].dtype.name, 0)

    def const(self, name: str, value: np.ndarray, datatype: int) -> str:
        """Add a constant."""
        node = self.graph.node.add(name=name, op="Const")
        node.attr["dtype"].type = datatype
        tensor = node.attr["value"].tensor
        tensor.dtype = datatype
        tensor.tensor_shape.SetInParent()
        for size in value.shape:
            tensor.tensor_shape.dim.add(size=size)
        tensor.tensor_content = value.tobytes()
        return name

    def add(self, name: str, op: str, *inputs: str, **types: int) -> str:
        """Add a node; the types are attributes."""
        node = self.graph.node.add(name=name, op=op, input=inputs)
        for key, value in types.items():
            node.attr[key].type = value
        return name

    def after_output(self, output: str, make: Callable[[str], str]) -> None:
        """Put what `make` adds between an output's tensor and its name."""
        name = operation_of(self.outputs[output])
        node = self.nodes[name]
        if node.op == "IdentityN":
            index = int(tensor_of(self.outputs[output]).partition(":")[2])
            node.input[index] = make(node.input[index])
            return
        node.name = f"{name}/before"
        for other in self.graph.node:
            for at, wire in enumerate(other.input):
                if operation_of(wire) == name:
                    other.input[at] = wire.replace(name, node.name, 1)
        last = make(f"{node.name}:{tensor_of(self.outputs[output]).partition(':')[2]}")
        self.nodes[last].name = name

    def after_input(self, name: str, make: Callable[[str], str]) -> None:
        """Put what `make` adds between an input's placeholder and its readers."""
        place = operation_of(self.inputs[name])
        readers = [(n, at) for n in self.graph.node for at, wire in enumerate(n.input) if wire in (place, f"{place}:0")]
        last = make(place)
        for node, at in readers:
            node.input[at] = last

    def weights(self) -> Iterator[tuple[Any, np.ndarray]]:
        """Constants of floats, the largest first."""
        found = [
            (n, v) for n in self.graph.node if n.op == "Const" and (v := constant(n)) is not None and v.dtype.kind == "f" and v.size > 1
        ]
        return iter(sorted(found, key=lambda pair: -pair[1].size))

    def first_output(self, least_rank: int = 1) -> str | None:
        """The first output of floats with at least this rank, and more than one class."""
        for name, value in self.answer.items():
            if value.dtype.kind == "f" and value.ndim >= least_rank and self.datatype(name) in _NUMPY:
                return name
        return None


Fault = Callable[[Site], bool]


def of_output(op: str, least_rank: int = 1, **more: Any) -> Fault:
    """A fault that puts one op of one input after the first output of floats."""

    def change(site: Site) -> bool:
        output = site.first_output(least_rank)
        if output is None:
            return False
        site.after_output(output, lambda at: site.add("fault", op, at, T=site.datatype(output), **more))
        return True

    return change


def with_constant(op: str, value: float) -> Fault:
    """A fault that combines the first output of floats with a constant."""

    def change(site: Site) -> bool:
        output = site.first_output()
        if output is None:
            return False
        datatype = site.datatype(output)
        number = site.const("fault/by", np.asarray(value, _NUMPY[datatype]), datatype)
        site.after_output(output, lambda at: site.add("fault", op, at, number, T=datatype))
        return True

    return change


def through(narrow: int) -> Fault:
    """The first output of float32 is cast to a narrower datatype and back."""

    def change(site: Site) -> bool:
        output = site.first_output()
        if output is None or site.datatype(output) != FLOAT:
            return False

        def cast(at: str) -> str:
            return site.add("fault", "Cast", site.add("fault/narrow", "Cast", at, SrcT=FLOAT, DstT=narrow), SrcT=narrow, DstT=FLOAT)

        site.after_output(output, cast)
        return True

    return change


def rolled(site: Site) -> bool:
    """The classes are rolled by 2."""
    output = site.first_output(2)
    if output is None or site.answer[output].shape[-1] < 4:
        return False
    axis = site.answer[output].ndim - 1
    by, along = site.const("fault/by", np.int32([2]), INT32), site.const("fault/axis", np.int32([axis]), INT32)
    site.after_output(output, lambda at: site.add("fault", "Roll", at, by, along, T=site.datatype(output), Tshift=INT32, Taxis=INT32))
    return True


def reversed_classes(site: Site) -> bool:
    """The classes are in reverse order."""
    output = site.first_output(2)
    if output is None or site.answer[output].shape[-1] < 3:
        return False
    along = site.const("fault/axis", np.int32([site.answer[output].ndim - 1]), INT32)
    site.after_output(output, lambda at: site.add("fault", "ReverseV2", at, along, T=site.datatype(output), Tidx=INT32))
    return True


def exchanged_classes(site: Site) -> bool:
    """Two classes are exchanged."""
    output = site.first_output(2)
    if output is None or site.answer[output].shape[-1] < 4:
        return False
    order = np.arange(site.answer[output].shape[-1], dtype=np.int32)
    order[[0, 3]] = order[[3, 0]]
    axis = site.answer[output].ndim - 1
    by, along = site.const("fault/order", order, INT32), site.const("fault/axis", np.int32(axis), INT32)
    datatype = site.datatype(output)
    site.after_output(output, lambda at: site.add("fault", "GatherV2", at, by, along, Tparams=datatype, Tindices=INT32, Taxis=INT32))
    return True


def _transposed(site: Site, at: str, axes: list[int], datatype: int, name: str) -> str:
    order = site.const(f"{name}/axes", np.int32(axes), INT32)
    return site.add(name, "Transpose", at, order, T=datatype, Tperm=INT32)


def transposed_output(site: Site) -> bool:
    """Height and width of an image that is the answer are exchanged."""
    output = site.first_output(4)
    if output is None:
        return False
    site.after_output(output, lambda at: _transposed(site, at, [0, 2, 1, 3], site.datatype(output), "fault"))
    return True


def input_layout(site: Site) -> bool:
    """The input's elements are taken in the layout NCHW."""
    name, array = next(iter(site.request.items()))
    if array.ndim != 4 or array.shape[3] == 1:
        return False
    _, height, width, channels = array.shape

    def relaid(at: str) -> str:
        shape = site.const("fault/shape", np.int32([-1, channels, height, width]), INT32)
        flat = site.add("fault/flat", "Reshape", at, shape, T=FLOAT, Tshape=INT32)
        return _transposed(site, flat, [0, 2, 3, 1], FLOAT, "fault")

    site.after_input(name, relaid)
    return True


def input_channels(site: Site) -> bool:
    """BGR instead of RGB."""
    name, array = next(iter(site.request.items()))
    if array.ndim != 4 or array.shape[3] == 1:
        return False
    along = site.const("fault/axis", np.int32([3]), INT32)
    site.after_input(name, lambda at: site.add("fault", "ReverseV2", at, along, T=FLOAT, Tidx=INT32))
    return True


def input_scaled(site: Site) -> bool:
    """The input is divided by 255 once more."""
    name, array = next(iter(site.request.items()))
    if array.dtype != np.float32:
        return False
    by = site.const("fault/by", np.float32(1 / 255), FLOAT)
    site.after_input(name, lambda at: site.add("fault", "Mul", at, by, T=FLOAT))
    return True


def random_output(site: Site) -> bool:
    """Noise as dropout at inference makes it: each element is kept at random."""
    output = site.first_output()
    if output is None or site.datatype(output) != FLOAT:
        return False

    def noisy(at: str) -> str:
        shape = site.add("fault/shape", "Shape", at, T=FLOAT, out_type=INT32)
        noise = site.add("fault/noise", "RandomUniform", shape, dtype=FLOAT, T=INT32)
        return site.add("fault", "Mul", at, noise, T=FLOAT)

    site.after_output(output, noisy)
    return True


def rows_mixed(site: Site) -> bool:
    """The mean over the batch is taken away, as a normalisation in training mode does."""
    output = site.first_output(2)
    if output is None or site.datatype(output) != FLOAT:
        return False

    def mixed(at: str) -> str:
        axis = site.const("fault/axis", np.int32([0]), INT32)
        mean = site.add("fault/mean", "Mean", at, axis, T=FLOAT, Tidx=INT32)
        site.nodes[mean].attr["keep_dims"].b = True
        return site.add("fault", "Sub", at, mean, T=FLOAT)

    site.after_output(output, mixed)
    return True


def weight(change: Callable[[np.ndarray], np.ndarray], which: int = 0) -> Fault:
    """A fault that changes the values of one constant, of those with the most elements."""

    def edit(site: Site) -> bool:
        found = [pair for pair in site.weights() if pair[1].any()]
        if len(found) <= which:
            return False
        node, value = found[which]
        tensor = node.attr["value"].tensor
        fresh = np.ascontiguousarray(change(value)).astype(value.dtype)
        if np.array_equal(fresh, value):
            return False
        for field in ("float_val", "half_val", "double_val"):
            tensor.ClearField(field)
        tensor.tensor_content = fresh.tobytes()
        return True

    return edit


def every_weight(change: Callable[[np.ndarray], np.ndarray]) -> Fault:
    """A fault that changes all constants of float32."""

    def edit(site: Site) -> bool:
        count = len([1 for _, v in site.weights() if v.dtype == np.float32])
        return count > 0 and sum(weight(change, at)(site) for at in range(count)) > 0

    return edit


def replaced(op: str, by: str) -> Fault:
    """Every op of this kind is another with the same inputs and attributes."""

    def change(site: Site) -> bool:
        found = [n for n in site.graph.node if n.op == op]
        for node in found:
            node.op = by
            if by in ("Identity", "Elu", "Tanh", "Relu", "Softplus", "Sigmoid"):
                kind = node.attr["T"].type
                node.attr.clear()
                node.attr["T"].type = kind
            elif by == "AvgPool" and "T" not in node.attr:
                node.attr["T"].type = FLOAT
        return bool(found)

    return change


def exchanged_wires(site: Site) -> bool:
    """The inputs of a subtraction or division are exchanged."""
    for node in site.graph.node:
        if node.op in ("Sub", "RealDiv") and len(node.input) >= 2 and node.input[0] != node.input[1]:
            first, second = node.input[0], node.input[1]
            node.input[0], node.input[1] = second, first
            return True
    return False


def other_attribute(site: Site) -> bool:
    """LeakyRelu's slope, or a normalisation's epsilon, has another value."""
    for node in site.graph.node:
        for key in ("alpha", "epsilon"):
            if key in node.attr:
                node.attr[key].f = node.attr[key].f * 2 + 0.3
                return True
    return False


def exchanged_weights(site: Site) -> bool:
    """Two weights of one shape have each other's values."""
    by_shape: dict[tuple[int, ...], Any] = {}
    for node, value in site.weights():
        other = by_shape.setdefault(value.shape, node)
        if other is not node and constant(other).tobytes() != value.tobytes():  # type: ignore[union-attr]
            mine = node.attr["value"].tensor.SerializeToString()
            node.attr["value"].tensor.CopyFrom(other.attr["value"].tensor)
            other.attr["value"].tensor.ParseFromString(mine)
            return True
    return False
