"""Large tensors go through memory that the core and a worker share, and a worker that lies about it harms nobody."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from crossload.contract import frames
from crossload.contract.manifest import Binding
from crossload.errors import FrameError, WorkerFailure
from crossload.runtimes.process import Launch
from crossload.runtimes.shared_memory import LARGE, SharedMemory, room
from crossload.runtimes.supervisor import Limits, ModelSource, Supervisor
from tests import ROOT

WORKER = Path(__file__).parents[1] / "fakes" / "sharing_worker.py"


def sharing(behaviour: str = "honest") -> Supervisor:
    return Supervisor("sharing", Launch([sys.executable, str(WORKER), behaviour], {"PYTHONPATH": str(ROOT / "python")}), Limits(run=20))


def echoed(subject: Supervisor, *arrays: np.ndarray) -> list[np.ndarray]:
    return list(subject.call({"rpc": "Echo"}, {f"x{n}": a for n, a in enumerate(arrays)}, 20).values())


def numbers(size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)


@pytest.mark.parametrize("behaviour", ["honest", "blind"])
def test_tensors_of_every_size_come_back_whether_the_worker_shares_or_not(behaviour: str) -> None:
    with sharing(behaviour) as subject:
        for sizes in ([LARGE], [3, LARGE + 1, 0, LARGE - 1, 5 * LARGE + 7], [2], [9 * LARGE]):
            sent = [numbers(size, size) for size in sizes]
            assert all(np.array_equal(a, b) for a, b in zip(sent, echoed(subject, *sent), strict=True))
        assert subject.deaths == []


def test_an_answer_is_the_core_s_own_and_the_next_one_does_not_change_it() -> None:
    with sharing() as subject:
        first = numbers(LARGE, 1)
        (kept,) = echoed(subject, first)
        echoed(subject, numbers(LARGE, 2))
        assert np.array_equal(kept, first)


def test_a_large_answer_of_a_model_and_large_text_are_the_same_as_by_the_pipe() -> None:
    source = ModelSource(Path(__file__), "tflite", {"same": Binding(key="same", inputs={"x": "0", "t": "1"}, outputs={"x": "0", "t": "1"})})
    text = np.array([b"\0" * LARGE, b"", b"end"], dtype=object)
    for behaviour in ("honest", "blind"):
        with sharing(behaviour) as subject:
            subject.load(source)
            answer = subject.infer("same", {"x": numbers(LARGE), "t": text}, ["x", "t"])
            assert np.array_equal(answer.outputs["x"], numbers(LARGE))
            assert list(answer.outputs["t"]) == list(text)


@pytest.mark.parametrize("offset", ["-1", "true", "text", str(1 << 20), str(1 << 61), str(1 << 70)])
def test_an_offset_where_nothing_lies_is_a_protocol_error(offset: str) -> None:
    with sharing(f"offset {offset}") as subject, pytest.raises(WorkerFailure) as caught:
        echoed(subject, numbers(LARGE))
    assert caught.value.outcome == "protocol_error"


def test_a_worker_cannot_shorten_the_memory_that_the_core_reads() -> None:
    with sharing("shorten") as subject, pytest.raises(WorkerFailure, match="Operation not permitted"):
        echoed(subject, numbers(LARGE))


def test_a_frame_that_names_shared_memory_outside_the_protocol_is_refused() -> None:
    entry = {"name": "x", "datatype": "UINT8", "shape": [2], "parameters": {"binary_data_size": 2, "shared_memory_offset": 0}}
    packed = frames.pack({"inputs": [entry]}) + b"ab"
    parts = iter([packed[:8], packed[8:-2], b"ab"])
    with pytest.raises(FrameError, match="which was not agreed on"):
        frames.read(lambda _: next(parts))


def test_no_descriptor_is_left_open_after_a_worker() -> None:
    before = set(Path("/proc/self/fd").iterdir())
    with sharing() as subject:
        echoed(subject, numbers(LARGE))
    assert set(Path("/proc/self/fd").iterdir()) <= before


def test_closing_twice_leaves_the_files_of_others_alone() -> None:
    shared = SharedMemory()
    first, _ = shared.descriptors
    shared.close()
    other = os.memfd_create("other")
    assert other == first, "the number is free again"
    shared.close()
    os.close(other)


def test_room_costs_nothing_until_it_is_written_and_an_absurd_size_is_a_memory_error() -> None:
    assert len(room(1 << 32)) == 1 << 32
    with pytest.raises(MemoryError):
        room(1 << 61)


def test_only_large_inputs_are_put_into_shared_memory() -> None:
    shared = SharedMemory()
    entries = [frames.tensor_entry(str(size), "UINT8", [size], size) for size in (LARGE, 1, LARGE + 1)]
    header, rest = shared.put({"inputs": entries}, [bytes(size) for size in (LARGE, 1, LARGE + 1)])
    shared.close()
    assert [e["parameters"].get("shared_memory_offset") for e in header["inputs"]] == [0, None, LARGE]
    assert [len(buffer) for buffer in rest] == [1]
