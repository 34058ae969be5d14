"""Representative inputs: files become requests of each signature; the error names a file or input that does not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crossload.errors import ModelError
from crossload.inputs.representative import Specs, samples

FREE: Specs = {"x": (np.float32, (None, 4))}


def rows(count: int, *shape: int) -> np.ndarray:
    return np.arange(count * int(np.prod(shape)), dtype=np.float32).reshape(count, *shape)


def save(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)
    return path


def test_each_row_is_a_request_where_the_batch_is_free(tmp_path: Path) -> None:
    found = samples(save(tmp_path / "r.npz", x=rows(3, 4), unused=rows(1, 1)), {"k": FREE})
    assert [(key, list(arrays)) for key, arrays in found] == [("k", ["x"])] * 3
    assert np.array_equal(np.concatenate([arrays["x"] for _, arrays in found]), rows(3, 4))


def test_a_fixed_batch_takes_that_many_rows(tmp_path: Path) -> None:
    path = save(tmp_path / "r.npz", x=rows(6, 4))
    assert [a["x"].shape for _, a in samples(path, {"k": {"x": (np.float32, (2, 4))}})] == [(2, 4)] * 3
    with pytest.raises(ModelError, match="6 rows are not a multiple of 4"):
        samples(path, {"k": {"x": (np.float32, (4, 4))}})


def test_a_scalar_makes_a_file_one_request(tmp_path: Path) -> None:
    path = save(tmp_path / "r.npz", x=rows(3, 4), rate=np.float32(0.5))
    ((_, arrays),) = samples(path, {"k": {**FREE, "rate": (np.float32, ())}})
    assert arrays["x"].shape == (3, 4)
    assert arrays["rate"] == 0.5


def test_all_files_of_a_folder_are_read_and_serve_the_signatures_they_fit(tmp_path: Path) -> None:
    save(tmp_path / "a.npz", x=rows(2, 4))
    save(tmp_path / "b.npz", y=rows(1, 2))
    save(tmp_path / "c.npz", x=rows(1, 4))
    found = samples(tmp_path, {"k": FREE, "l": {"y": (np.float32, (None, 2))}})
    assert sorted(key for key, _ in found) == ["k", "k", "k", "l"]


def test_strings_are_taken_as_text_or_bytes(tmp_path: Path) -> None:
    path = save(tmp_path / "r.npz", words=np.array([["on", "off"], ["é", ""]]), raw=np.array([[b"a"], [b"b"]]))
    specs: Specs = {"words": (object, (1, 2)), "raw": (object, (1, 1))}
    assert [a["words"].tolist() + a["raw"].tolist() for _, a in samples(path, {"k": specs})] == [
        [[b"on", b"off"], [b"a"]],
        [["é".encode(), b""], [b"b"]],
    ]


def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    path = save(tmp_path / "r.npz", pixel=rows(2, 4))
    with pytest.raises(
        ModelError, match=r"no representative inputs for the signature 'k': nothing for its input 'pixels'; near it are 'pixel'"
    ):
        samples(path, {"k": {"pixels": (np.float32, (None, 4))}})
    with pytest.raises(
        ModelError, match=r"r\.npz: the input 'pixel' is float32 of shape \[2, 4\]; the model takes float32 of shape \[-1, 5\]"
    ):
        samples(path, {"k": {"pixel": (np.float32, (None, 5))}})
    with pytest.raises(ModelError, match="the model takes int32 of"):
        samples(path, {"k": {"pixel": (np.int32, (None, 4))}})
    with pytest.raises(ModelError, match=r"has no \.npz"):
        (tmp_path / "empty").mkdir()
        samples(tmp_path / "empty", {"k": FREE})


def test_an_array_named_as_the_end_of_a_graphs_placeholder_is_pointed_to_its_name(tmp_path: Path) -> None:
    path = save(tmp_path / "r.npz", left=rows(2, 4))
    with pytest.raises(ModelError, match="name the array serving_left, or a graph's input left: --input-tensor left=serving_left"):
        samples(path, {"k": {"serving_left": (np.float32, (None, 4))}})


@pytest.mark.parametrize("content", [None, b"", b"not an archive", b"PK\3\4" + bytes(50)])
def test_a_file_that_is_not_an_npz_is_one_sentence(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "r.npz").write_bytes(content)
    with pytest.raises(ModelError, match=r"the representative inputs .*r\.npz cannot be read: .*numpy\.savez"):
        samples(tmp_path / "r.npz", {"k": FREE})


def test_objects_are_not_unpickled(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="plain arrays"):
        samples(save(tmp_path / "r.npz", x=np.array([{}], object)), {"k": FREE})
