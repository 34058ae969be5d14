"""Edits that write a .tflite anew: what a cut leaves, what stripping drops, metadata, descriptions and names."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import tflite
from hypothesis import given
from hypothesis import strategies as st

from crossload.artifacts.tflite import inner, tflite_file
from crossload.artifacts.tflite.inner import Inner
from crossload.artifacts.tflite.tflite_file import TFLite
from crossload.edits import tflite_edits
from crossload.errors import ArtifactError, CrossloadError
from crossload.releases import tflite_builder
from crossload.releases.tflite_builder import subgraph, tensor

CODES = [
    (n, "", 1) for n in (tflite.BuiltinOperator.ABS, tflite.BuiltinOperator.ADD, tflite.BuiltinOperator.IF, tflite.BuiltinOperator.NEG)
]
CODES += [(tflite.BuiltinOperator.ASSIGN_VARIABLE, "", 1)]
ABS, ADD, IF, NEG, ASSIGN = range(5)


def op(code: int, inputs: Sequence[int], outputs: Sequence[int], **more: Any) -> dict[int, Any]:
    return {0: ("I", code), 1: ("i", list(inputs)), 2: ("i", list(outputs)), **{int(n[1:]): v for n, v in more.items()}}


def two_towers() -> bytes:
    """`a` (0) and `b` (1) go through ABS; their sum, with a constant (4), is the output (6); 7 is read by nothing; three subgraphs, of
    which an IF, whose result nothing takes, runs the last two."""
    tensors = [
        tensor(name, [4], "float32", buffer)
        for name, buffer in zip(["a", "b", "abs_a", "abs_b", "c", "sum", "y", "unused"], [0, 1, 2, 3, 4, 5, 6, 7], strict=True)
    ]
    tensors += [tensor("which", [], "bool", 0), tensor("chosen", [4], "float32", 0)]
    operators = [
        op(ABS, [0], [2]),
        op(ABS, [1], [3]),
        op(IF, [8, 2], [9], _3=("B", 92), _4={0: ("i", 1), 1: ("i", 2)}),
        op(ADD, [2, 3], [5]),
        op(ADD, [5, 4], [6]),
    ]
    buffers = [b"", {}, {}, {}, bytes(16), {}, {}, bytes(64)]
    branch = subgraph([tensor("i", [4], "float32", 0), tensor("o", [4], "float32", 0)], [0], [1], [op(NEG, [0], [1])])
    return tflite_builder.model(CODES, tensors, [0, 1, 8], [6], operators, buffers, [branch, branch])


def edit(data: bytes, tmp_path: Path, **wanted: Any) -> tuple[TFLite, list[Inner]]:
    path = tmp_path / "edited.tflite"
    path.write_bytes(b"".join(tflite_edits.edited(tmp_path / "m.tflite", data, **wanted)))
    return tflite_file.read(path), inner.read_all(path)


def test_stripping_drops_what_no_output_needs_and_keeps_the_inputs(tmp_path: Path) -> None:
    found, (graph,) = edit(two_towers(), tmp_path, strip=True)
    assert [o.op for o in graph.operators] == ["ABS", "ABS", "ADD", "ADD"]
    assert [graph.tensors[i].name for i in graph.inputs] == ["a", "b", "which"]
    assert sorted(t.name for t in graph.tensors) == ["a", "abs_a", "abs_b", "b", "c", "sum", "which", "y"]
    assert [t.name for t in graph.tensors if t.extent] == ["c"]
    assert found.buffers == 2  # the empty one of the convention, and the constant's


def test_subgraphs_that_stay_are_renumbered_where_they_are_run(tmp_path: Path) -> None:
    """The first branch is dropped with an IF of its own that nothing takes; the second one becomes number 1."""
    data = bytearray(two_towers())
    tree = tflite_edits.tflite_tree.read(tmp_path, data)
    main = tree["subgraphs"][0]
    main["outputs"] = [9]
    main["operators"][2]["options"] = {0: tflite_edits.tflite_tree.Inline(b"\2\0\0\0"), 1: tflite_edits.tflite_tree.Inline(b"\2\0\0\0")}
    _, graphs = edit(b"".join(tflite_edits.tflite_tree.write(tmp_path, bytes(data), tree)), tmp_path, strip=True)
    assert [[o.op for o in g.operators] for g in graphs] == [["ABS", "IF"], ["NEG"]]
    assert graphs[0].operators[1].calls == (1, 1)


def test_an_operator_that_assigns_a_variable_stays_though_nothing_takes_its_result(tmp_path: Path) -> None:
    tensors = [tensor("x", [4], "float32", 0), tensor("handle", [1], "resource", 0), tensor("y", [4], "float32", 0)]
    handle = {0: ("I", 5), 2: ("i", [1]), 3: ("B", 111), 4: {0: "", 1: "v"}}
    operators = [handle, op(ASSIGN, [1, 0], []), op(ABS, [0], [2])]
    data = tflite_builder.model([*CODES, (tflite.BuiltinOperator.VAR_HANDLE, "", 1)], tensors, [0], [2], operators)
    _, (graph,) = edit(data, tmp_path, strip=True)
    assert [o.op for o in graph.operators] == ["VAR_HANDLE", "ASSIGN_VARIABLE", "ABS"]


def test_a_branch_that_assigns_a_variable_stays_with_the_operator_that_runs_it(tmp_path: Path) -> None:
    tensors = [
        tensor("x", [4], "float32", 0),
        tensor("which", [], "bool", 0),
        tensor("z", [4], "float32", 0),
        tensor("y", [4], "float32", 0),
    ]
    inside = [tensor("i", [4], "float32", 0), tensor("handle", [1], "resource", 0)]
    assigning = subgraph(inside, [0], [0], [{0: ("I", 5), 2: ("i", [1]), 3: ("B", 111), 4: {1: "v"}}, op(ASSIGN, [1, 0], [])])
    operators = [op(IF, [1, 0], [2], _3=("B", 92), _4={0: ("i", 1), 1: ("i", 1)}), op(ABS, [0], [3])]
    data = tflite_builder.model([*CODES, (tflite.BuiltinOperator.VAR_HANDLE, "", 1)], tensors, [0, 1], [3], operators, others=[assigning])
    _, graphs = edit(data, tmp_path, strip=True)
    assert [[o.op for o in g.operators] for g in graphs] == [["IF", "ABS"], ["VAR_HANDLE", "ASSIGN_VARIABLE"]]


def test_a_cut_leaves_one_signature_with_the_inner_tensors(tmp_path: Path) -> None:
    found, (graph,) = edit(two_towers(), tmp_path, cut={"half": {"inputs": {"left": 0}, "outputs": {"embedding": 2}}})
    assert [o.op for o in graph.operators] == ["ABS"]
    assert [t.name for t in graph.tensors] == ["a", "abs_a"]
    assert {k: ([t.name for t in s.inputs], [t.name for t in s.outputs]) for k, s in found.signatures.items()} == {
        "half": (["left"], ["embedding"])
    }


def test_what_makes_an_inner_tensor_goes_when_a_caller_feeds_it(tmp_path: Path) -> None:
    _, (graph,) = edit(two_towers(), tmp_path, cut={"rest": {"inputs": {"b": 1, "embedding": 2}, "outputs": {"y": 6}}})
    assert [o.op for o in graph.operators] == ["ABS", "ADD", "ADD"]
    assert [graph.tensors[i].name for i in graph.inputs] == ["b", "abs_a"]


def test_scales_in_tensors_of_their_own_stay_and_keep_their_reference(tmp_path: Path) -> None:
    tensors = [tensor("unused", [4], "float32", 0), tensor("x", [4], "float32", 0), tensor("scales", [1], "float32", 1)]
    tensors += [
        {**tensor("w", [4], "int8", 2), 4: {4: ("B", 2), 5: {0: ("i", 2), 1: ("i", -1), 2: ("i", 4)}}},
        tensor("y", [4], "float32", 0),
    ]
    data = tflite_builder.model(CODES, tensors, [1], [4], [op(ADD, [1, 3], [4])], [b"", bytes(4), bytes(4)])
    edit(data, tmp_path, strip=True)
    tree = tflite_edits.tflite_tree.read(tmp_path, (tmp_path / "edited.tflite").read_bytes())
    named = {t["name"]: at for at, t in enumerate(tree["subgraphs"][0]["tensors"])}
    assert list(named) == ["x", "scales", "w", "y"]
    details = tree["subgraphs"][0]["tensors"][named["w"]]["quantization"]["details"]
    assert [tflite_edits.tflite_tree.numbers(details, at) for at in range(3)] == [[named["scales"]], [-1], [4]]


def test_an_arena_plan_goes_with_the_tensors_that_it_was_made_for(tmp_path: Path) -> None:
    (tmp_path / "plan").write_bytes(bytes(16))
    files = {"OfflineMemoryAllocation": str(tmp_path / "plan"), "notes": str(tmp_path / "plan")}
    edit(two_towers(), tmp_path, set_metadata=files)
    planned = (tmp_path / "edited.tflite").read_bytes()
    found, _ = edit(planned, tmp_path, strip=True)
    assert [m.name for m in found.metadata] == ["notes"]
    found, _ = edit((tmp_path / "edited.tflite").read_bytes(), tmp_path, set_metadata=files)
    assert [m.name for m in edit((tmp_path / "edited.tflite").read_bytes(), tmp_path, strip=True)[0].metadata] == [
        "notes",
        "OfflineMemoryAllocation",
    ]


def test_metadata_is_set_replaced_and_dropped_with_its_bytes(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("first text")
    other.write_text("second")
    found, _ = edit(two_towers(), tmp_path, set_metadata={"a": str(one), "b": str(one)}, description="made of a and b")
    assert [(m.name, m.text) for m in found.metadata] == [("a", "first text"), ("b", "first text")]
    assert found.description == "made of a and b"
    found, _ = edit((tmp_path / "edited.tflite").read_bytes(), tmp_path, set_metadata={"a": str(other)}, drop_metadata=["b"])
    assert [(m.name, m.text) for m in found.metadata] == [("a", "second")]
    assert b"first text" not in (tmp_path / "edited.tflite").read_bytes()


def test_names_of_inner_tensors_go_and_those_of_inputs_and_outputs_stay(tmp_path: Path) -> None:
    _, graphs = edit(two_towers(), tmp_path, strip_names=True)
    assert [t.name for t in graphs[0].tensors] == ["a", "b", "", "", "", "", "y", "", "which", ""]
    assert not any(t.name for g in graphs[1:] for t in g.tensors)


def test_a_number_that_leads_nowhere_is_a_damaged_file(tmp_path: Path) -> None:
    bad = tflite_builder.model(CODES, [tensor("x", [4], "float32", 0)], [0], [0], [op(ASSIGN, [7], [])])
    with pytest.raises(ArtifactError, match=r"m\.tflite is a truncated or corrupt \.tflite: a number in it leads nowhere"):
        edit(bad, tmp_path, strip=True)


@given(st.data())
def test_damaged_files_are_edited_or_refused(data: st.DataObject) -> None:
    damaged = bytearray(two_towers())
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(8, len(damaged) - 1))] = data.draw(st.sampled_from([0, 1, 127, 255]))
    with suppress(CrossloadError):
        made = b"".join(tflite_edits.edited(Path("m.tflite"), bytes(damaged), strip=True, strip_names=True, description="d"))
        assert tflite_file.of(Path("m.tflite"), made).description == "d"
