"""A graph in float64: what is widened, what stays narrow between casts, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from crossload.artifacts.graphs import protos
from crossload.edits.float64 import NotWidened, widened
from crossload.releases.registrations import releases

FLOAT, DOUBLE, INT32, BOOL, HALF, BFLOAT16, COMPLEX64, COMPLEX128 = 1, 2, 3, 10, 19, 14, 8, 18
NEWEST = releases()[-1]


def graph(*nodes: tuple[str, str, list[str], dict[str, Any]]) -> Any:
    """A GraphDef; an attribute is a datatype, or a tensor as (datatype, field, numbers)."""
    made = protos.GraphDefProto()
    made.versions.producer = 1987
    for name, op, inputs, attributes in nodes:
        node = made.node.add(name=name, op=op, input=inputs)
        for key, value in attributes.items():
            if isinstance(value, tuple):
                datatype, field, numbers = value
                node.attr[key].tensor.dtype = datatype
                node.attr[key].tensor.tensor_shape.dim.add(size=len(numbers))
                getattr(node.attr[key].tensor, field).extend(numbers)
            else:
                node.attr[key].type = value
    return made


X = ("x", "Placeholder", [], {"dtype": FLOAT})


def nodes(message: Any) -> dict[str, Any]:
    return {node.name: node for node in message.node}


def test_numbers_are_computed_in_float64_and_inputs_are_cast_to_it_once() -> None:
    weights = ("w", "Const", [], {"dtype": FLOAT, "value": (FLOAT, "float_val", [0.1, 0.2])})
    found = nodes(widened(graph(X, weights, ("y", "Mul", ["x", "w"], {"T": FLOAT}), ("z", "Neg", ["x"], {"T": FLOAT})), NEWEST)[0])
    assert found["x"].attr["dtype"].type == FLOAT
    assert found["y"].attr["T"].type == DOUBLE
    assert list(found["w"].attr["value"].tensor.double_val) == [float(np.float32(0.1)), float(np.float32(0.2))]
    assert found["y"].input[0] == found["z"].input[0]
    cast = found[found["y"].input[0]]
    assert (cast.op, list(cast.input), cast.attr["SrcT"].type, cast.attr["DstT"].type) == ("Cast", ["x"], FLOAT, DOUBLE)


@pytest.mark.parametrize("datatype", [HALF, BFLOAT16])
def test_narrow_floats_keep_their_values(datatype: int) -> None:
    value = (datatype, "half_val", [0x3C00 if datatype == HALF else 0x3F80, 0x4000])
    weights = ("w", "Const", [], {"dtype": datatype, "value": value})
    found = nodes(widened(graph(weights, ("y", "Neg", ["w"], {"T": datatype})), NEWEST)[0])
    assert list(found["w"].attr["value"].tensor.double_val) == [1.0, 2.0]


def test_an_op_without_a_float64_kernel_stays_between_casts_and_is_named() -> None:
    steps = [("min", "Const", [], {"dtype": FLOAT, "value": (FLOAT, "float_val", [0.0])}), ("a", "Neg", ["x"], {"T": FLOAT})]
    quantised = ("q", "FakeQuantWithMinMaxVars", ["a", "min", "min"], {})
    wide, narrow = widened(graph(X, *steps, quantised, ("y", "Neg", ["q"], {"T": FLOAT})), NEWEST)
    assert narrow == ["FakeQuantWithMinMaxVars"]
    found = nodes(wide)
    into, out = found[found["q"].input[0]], found[found["y"].input[0]]
    assert (into.attr["SrcT"].type, into.attr["DstT"].type) == (DOUBLE, FLOAT)
    assert (out.attr["SrcT"].type, out.attr["DstT"].type) == (FLOAT, DOUBLE)
    assert list(out.input) == ["q"]


def test_complex_numbers_are_computed_in_complex128_also_where_the_datatype_is_left_out() -> None:
    length = ("n", "Const", [], {"dtype": INT32, "value": (INT32, "int_val", [4])})
    factor = ("c", "Const", [], {"dtype": COMPLEX64, "value": (COMPLEX64, "scomplex_val", [0.5, 1.5])})
    wide, narrow = widened(graph(X, length, factor, ("f", "RFFT", ["x", "n"], {}), ("y", "Mul", ["f", "c"], {"T": COMPLEX64})), NEWEST)
    found = nodes(wide)
    assert (narrow, found["f"].attr["Tcomplex"].type, found["y"].attr["T"].type) == ([], COMPLEX128, COMPLEX128)
    assert list(found["c"].attr["value"].tensor.dcomplex_val) == [0.5, 1.5]
    assert found[found["f"].input[0]].attr["DstT"].type == DOUBLE


def test_integers_and_control_inputs_stay_as_they_are() -> None:
    whole = graph(("i", "Placeholder", [], {"dtype": INT32}), ("y", "Neg", ["i", "^i"], {"T": INT32}))
    assert widened(whole, NEWEST) == (whole, [])


@pytest.mark.parametrize(
    ("node", "why"),
    [
        (("r", "RandomUniform", ["x"], {"T": INT32, "dtype": FLOAT}), "draws random numbers"),
        (("r", "OfAnotherLibrary", ["x"], {}), "which TensorFlow"),
    ],
)
def test_what_cannot_be_computed_in_float64_is_refused(node: Any, why: str) -> None:
    with pytest.raises(NotWidened, match=why):
        widened(graph(X, node), NEWEST)


def test_functions_are_widened_with_what_calls_them() -> None:
    whole = graph(X, ("y", "While", ["x"], {}))
    whole.node[1].attr["T"].list.type.append(FLOAT)
    for key in ("cond", "body"):
        function = whole.library.function.add()
        function.signature.name = whole.node[1].attr[key].func.name = key
        function.signature.input_arg.add(name="a", type=FLOAT)
        function.signature.output_arg.add(name="o", type=FLOAT if key == "body" else BOOL)
        negated = function.node_def.add(name="n", op="Neg", input=["a"])
        negated.attr["T"].type = FLOAT
        function.node_def.add(name="q", op="FakeQuantWithMinMaxArgs", input=["n:y:0"])
        function.node_def.add(name="never", op="IsNan", input=["n:y:0"]).attr["T"].type = FLOAT
        function.ret["o"] = "q:outputs:0" if key == "body" else "never:y:0"
    wide, narrow = widened(whole, NEWEST)
    assert narrow == ["FakeQuantWithMinMaxArgs"]
    assert list(nodes(wide)["y"].attr["T"].list.type) == [DOUBLE]
    for function in wide.library.function:
        inner = {n.name: n for n in function.node_def}
        assert [a.type for a in function.signature.input_arg] == [DOUBLE]
        assert inner["n"].attr["T"].type == inner["never"].attr["T"].type == DOUBLE
        assert inner[inner["q"].input[0].removesuffix(":y:0")].attr["DstT"].type == FLOAT
    body = next(f for f in wide.library.function if f.signature.name == "body")
    returned = next(n for n in body.node_def if n.name == body.ret["o"].removesuffix(":y:0"))
    assert (returned.op, list(returned.input), returned.attr["DstT"].type) == ("Cast", ["q:outputs:0"], DOUBLE)


def test_a_function_of_any_datatype_is_refused() -> None:
    called = graph(X, ("y", "f", ["x"], {}))
    function = called.library.function.add()
    function.signature.name = "f"
    function.signature.attr.add(name="T", type="type")
    with pytest.raises(NotWidened, match="a function of any datatype"):
        widened(called, NEWEST)
