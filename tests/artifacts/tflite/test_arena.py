"""The estimated arena: no two tensors that live at once share bytes, and a plan is never below what is in use at once."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from crossload.artifacts.tflite import arena, inner
from crossload.artifacts.tflite.inner import Inner, Operator, Tensor


def tensor(index: int, size: int, extent: tuple[int, int] | None = None) -> Tensor:
    return Tensor(index, f"t{index}", "INT8", (size,), (), (), extent)


def chain(*sizes: int) -> Inner:
    """One operator after another, each reading the value of the one before."""
    operators = tuple(Operator("ADD", (n,), (n + 1,)) for n in range(len(sizes) - 1))
    return Inner(b"", None, 0, tuple(tensor(n, s) for n, s in enumerate(sizes)), operators, (0,), (len(sizes) - 1,))


def test_values_that_do_not_live_at_once_share_bytes() -> None:
    assert arena.plan(chain(64, 160, 160, 64)) == arena.Arena(320, 320, 1)
    assert arena.plan(chain(64)) == arena.Arena(64, 64, None)


def test_sizes_are_aligned_and_constants_take_none_of_the_arena() -> None:
    graph = Inner(b"", None, 0, (tensor(0, 1), tensor(1, 9999, (0, 9999)), tensor(2, 17)), (Operator("ADD", (0, 1), (2,)),), (0,), (2,))
    assert arena.plan(graph).size_bytes == 16 + 32
    assert arena.constants(graph) == 9999


def test_a_variable_lives_from_the_first_operator_to_the_last() -> None:
    kept = Tensor(4, "state", "INT8", (1000,), (), (), None, variable=True)
    graph = chain(16, 16, 16, 16)
    read = Operator("ADD", (1, 4), (2,))
    graph = Inner(b"", None, 0, (*graph.tensors, kept), (graph.operators[0], read, graph.operators[2]), (0,), (3,))
    assert arena.lifetimes(graph)[4] == (0, 2)


def test_tensors_of_unknown_size_are_counted_apart() -> None:
    strings = Tensor(1, "words", "BYTES", (3,), (), (), None)
    graph = Inner(b"", None, 0, (tensor(0, 16), strings), (Operator("OWN", (0,), (1,)),), (0,), (1,))
    assert arena.plan(graph) == arena.Arena(16, 16, 0, unknown=1)


def test_a_file_with_very_many_tensors_is_not_planned() -> None:
    found = arena.plan(chain(*[16] * (arena.MOST_PLANNED + 1)))
    assert (found.size_bytes, found.most_bytes) == (None, 32)


@given(st.lists(st.integers(0, 500), min_size=2, max_size=12), st.data())
def test_no_plan_is_below_what_is_in_use_at_once_or_above_everything(sizes: list[int], data: st.DataObject) -> None:
    operators = tuple(
        Operator("ADD", tuple(data.draw(st.lists(st.integers(0, n), min_size=1, max_size=3))), (n + 1,)) for n in range(len(sizes) - 1)
    )
    graph = Inner(b"", None, 0, tuple(tensor(n, s) for n, s in enumerate(sizes)), operators, (0,), (len(sizes) - 1,))
    found = arena.plan(graph)
    assert found.size_bytes is not None
    assert found.most_bytes <= found.size_bytes <= sum(-(-s // 16) * 16 for s in sizes)


def test_a_real_model_s_arena_is_that_of_its_two_largest_neighbours(demo: Path) -> None:
    (graph,) = inner.read_all(demo / "model.tflite")
    found = arena.plan(graph)
    assert found.size_bytes == 4096 + 1024
    assert found.at is not None
    assert graph.operators[found.at].op == "MAX_POOL_2D"
