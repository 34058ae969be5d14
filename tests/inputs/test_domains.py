"""Domains of a graph's inputs: tables' keys, tf.Examples' features, and the parts of composite tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from crossload.artifacts.graphs.composites import Composite
from crossload.artifacts.messages import message_class
from crossload.contract.signatures import Signature, TensorSpec
from crossload.inputs import domains
from crossload.inputs.domains import Domain, Feature
from tests.corpus import handmade
from tests.corpus.handmade import FLOAT, INT32, INT64, STRING, node

WORDS = Signature((TensorSpec("words", "BYTES", (-1,), "words:0"),), (TensorSpec("y", "INT64", (-1,)),))


def constant(body: Any, name: str, values: Sequence[bytes] | Sequence[int]) -> None:
    added = node(body, name, "Const", dtype=INT64)
    tensor = added.attr["value"].tensor
    tensor.tensor_shape.dim.add(size=len(values))
    strings = [v for v in values if isinstance(v, bytes)]
    tensor.dtype = STRING if strings else INT64
    tensor.string_val.extend(strings)
    tensor.int64_val.extend(v for v in values if isinstance(v, int))


def function(made: Any, name: str, *arguments: str) -> Any:
    added = made.library.function.add()
    added.signature.name = name
    for argument in arguments:
        added.signature.input_arg.add(name=argument)
    return added.node_def


def call(body: Any, name: str, called: str, *inputs: str) -> None:
    node(body, name, "StatefulPartitionedCall", *inputs).attr["f"].func.name = called


def test_table_words_passed_as_a_function_argument_are_found() -> None:
    made = message_class("tensorflow.GraphDef")()
    constant(made.node, "known", [b"gut", b"\xff"])
    call(made.node, "start", "initializer", "table", "known")
    node(function(made, "initializer", "handle", "keys"), "fill", "LookupTableImportV2", "handle", "keys", "values")
    assert domains.of_graph(made, WORDS).words == (b"gut", b"\xff")


@pytest.mark.parametrize("passing", ["Identity", "Reshape"])
def test_table_numbers_belong_to_the_looked_up_input(passing: str) -> None:
    made = message_class("tensorflow.GraphDef")()
    for name in ("ids", "other", "keys", "values"):
        node(made.node, name, "Placeholder", dtype=INT64)
    constant(made.node, "known", [4711, -1])
    node(made.node, "fill", "InitializeTableV2", "table", "known", "values")
    node(made.node, "passed", passing, "ids")
    call(made.node, "called", "find", "passed", "other")
    node(function(made, "find", "numbers", "missing"), "found", "LookupTableFindV2", "table", "numbers", "missing")
    inputs = (TensorSpec("ids", "INT64", (-1,), "ids:0"), TensorSpec("other", "INT64", (-1,), "other:0"))
    assert domains.of_graph(made, Signature(inputs, ())).keys == {"ids": (4711, -1)}


def gathered(op: str, *more: str) -> Any:
    """A graph that gathers rows by `ids`, inside a function whose variable is captured, after negative ones are counted from the end."""
    made = message_class("tensorflow.GraphDef")()
    node(made.node, "ids", "Placeholder", dtype=INT64)
    table = node(made.node, "table", "VarHandleOp" if op == "ResourceGather" else "VariableV2")
    for size in (100, 16):
        table.attr["shape"].shape.dim.add(size=size)
    call(made.node, "called", "look", "ids", "table")
    body = function(made, "look", "indices", "rows")
    constant(body, "axis", [1])
    node(body, "counted", "SelectV2", "is_negative", "from_the_end", "indices")
    node(body, "found", op, "rows", "counted", *more)
    return made


IDS = Signature((TensorSpec("ids", "INT64", (-1,), "ids:0"),), ())


@pytest.mark.parametrize(("op", "more", "size"), [("ResourceGather", (), 100), ("Gather", (), 100), ("GatherV2", ("axis",), 16)])
def test_indices_are_below_the_number_of_rows_that_the_graph_gathers_from(op: str, more: tuple[str, ...], size: int) -> None:
    assert domains.of_graph(gathered(op, *more), IDS).sizes == {"ids": size}


def test_indices_of_a_one_hot_code_are_below_its_depth() -> None:
    made = message_class("tensorflow.GraphDef")()
    node(made.node, "ids", "Placeholder", dtype=INT64)
    constant(made.node, "depth", [7])
    node(made.node, "code", "OneHot", "ids", "depth", "on", "off")
    assert domains.of_graph(made, IDS).sizes == {"ids": 7}


def as_tensorflow_2(made: Any, file: Any) -> None:
    made.asset_file_def.add().CopyFrom(file)


def as_tensorflow_1(made: Any, file: Any) -> None:
    made.collection_def["saved_model_assets"].any_list.value.add().Pack(file)


@pytest.mark.parametrize("listed", [as_tensorflow_1, as_tensorflow_2])
def test_words_of_a_vocabulary_are_lines_or_columns(tmp_path: Path, listed: Callable[[Any, Any], None]) -> None:
    made = handmade.meta_graph("serve")
    reader = node(made.graph_def.node, "read", "InitializeTableFromTextFileV2", "table", "file")
    reader.attr["key_index"].i, reader.attr["delimiter"].s = 0, b","
    listed(made, message_class("tensorflow.AssetFileDef")(filename="words.txt"))
    (tmp_path / "words.txt").write_bytes("gut,1\nnaïve,2\n".encode())
    assert set(domains.of_meta_graph(made, WORDS, tmp_path).words) == {b"gut,1", b"gut", b"1", "naïve,2".encode(), "naïve".encode(), b"2"}


def test_features_of_tf_examples_come_from_the_graph() -> None:
    made = message_class("tensorflow.GraphDef")()
    node(made.node, "words", "Placeholder", dtype=STRING)
    for name, keys in (("sparse", [b"visits"]), ("dense", [b"age", b"kind"]), ("ragged", [b"tags"])):
        constant(made.node, name, keys)
    parse = node(
        made.node, "parsed", "ParseExampleV2", "words", "names", "sparse", "dense", "ragged",
        sparse_types=[INT64], Tdense=[FLOAT, STRING], ragged_value_types=[STRING],
    )  # fmt: skip
    parse.attr["dense_shapes"].list.shape.add().dim.add(size=2)
    parse.attr["dense_shapes"].list.shape.add()
    assert domains.of_graph(made, WORDS).examples == {
        "words": (
            Feature("visits", "INT64", None),
            Feature("age", "FP32", (2,)),
            Feature("kind", "BYTES", ()),
            Feature("tags", "BYTES", None),
        )
    }


def test_features_of_the_older_parser_are_found() -> None:
    made = message_class("tensorflow.GraphDef")()
    node(made.node, "words", "Placeholder", dtype=STRING)
    for name in ("visits", "age"):
        constant(made.node, f"key_{name}", [name.encode()])
    parse = node(made.node, "parsed", "ParseExample", "words", "names", "key_visits", "key_age", sparse_types=[INT64], Tdense=[FLOAT])
    parse.attr["Nsparse"].i = parse.attr["Ndense"].i = 1
    parse.attr["dense_shapes"].list.shape.add()
    assert domains.of_graph(made, WORDS).examples == {"words": (Feature("visits", "INT64", None), Feature("age", "FP32", ()))}


def test_parts_of_a_ragged_input_come_from_the_traced_function() -> None:
    made = handmade.meta_graph("serve")
    graph = made.graph_def
    del graph.node[:]
    for name in ("x", "x_1", "k"):
        node(graph.node, f"serving_{name}", "Placeholder", dtype=INT32)
    call(graph.node, "outer", "wrapper", "serving_k", "serving_x", "serving_x_1")
    call(function(graph, "wrapper", "k", "x", "x_1"), "inner", "traced", "x", "x_1", "k")
    stated = made.object_graph_def.concrete_functions["traced"].canonicalized_input_signature
    leaf = stated.tuple_value.values.add().tuple_value.values.add().type_spec_value
    leaf.type_spec_class = message_class("tensorflow.TypeSpecProto").RAGGED_TENSOR_SPEC
    shape = leaf.type_state.tuple_value.values.add().tensor_shape_value
    shape.dim.add(size=-1)
    shape.dim.add(size=-1)
    leaf.type_state.tuple_value.values.add().tensor_dtype_value = INT32
    leaf.type_state.tuple_value.values.add().int64_value = 1
    stated.tuple_value.values[0].tuple_value.values.add().tensor_spec_value.name = "k"
    specs = {name: TensorSpec(name, "INT64" if name == "x_1" else "INT32", (-1,), f"serving_{name}:0") for name in ("k", "x", "x_1")}
    signature = Signature(tuple(specs.values()), ())
    assert domains.of_meta_graph(made, signature).composites == (Composite("ragged", ("x", "x_1"), (-1, -1)),)
    del stated.tuple_value.values[:]
    assert domains.of_meta_graph(made, signature) == Domain()
