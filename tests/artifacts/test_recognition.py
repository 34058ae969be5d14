"""Recognition of paths by content, and the errors for other paths."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from crossload import artifacts
from crossload.artifacts.messages import message_class
from crossload.errors import ArtifactError
from tests.corpus import handmade


def refusal(path: Path) -> str:
    with pytest.raises(ArtifactError) as caught:
        artifacts.recognise(path)
    with pytest.raises(ArtifactError):
        artifacts.read(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def keras(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("config.json", "metadata.json", "model.weights.h5"):
            archive.writestr(name, "{}")
    return path


def test_file_names_do_not_decide_the_format(tmp_path: Path) -> None:
    (tmp_path / "model.pb").write_bytes(handmade.Lite().build())
    assert artifacts.recognise(tmp_path / "model.pb") == "tflite"
    assert artifacts.recognise(handmade.write_graph(tmp_path / "model.tflite", handmade.graph())) == "graph_def"
    assert artifacts.recognise(handmade.write_graph(tmp_path / "model.h5", handmade.graph(), text=True)) == "graph_def"


def test_a_folder_with_a_saved_model_file_is_a_saved_model(tmp_path: Path) -> None:
    assert artifacts.recognise(handmade.saved_model(tmp_path / "a", handmade.meta_graph())) == "saved_model"
    assert artifacts.recognise(handmade.saved_model(tmp_path / "b", handmade.meta_graph(), text=True)) == "saved_model"


def test_formats_are_recognised_by_magic_number_and_hdf5_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(handmade.meta_graph("serve").SerializeToString())
    assert artifacts.recognise(tmp_path / "c") == "meta_graph"
    assert artifacts.recognise(keras(tmp_path / "d")) == "keras"
    (tmp_path / "a").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    assert "corrupt HDF5" in refusal(tmp_path / "a")


def test_a_checkpoints_folder_is_a_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "ckpt-1.index").write_bytes(bytes(100) + bytes.fromhex("57fb808b247547db"))
    assert artifacts.recognise(tmp_path) == "checkpoint"


def test_the_error_for_a_missing_path_lists_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "digits.tflite").write_bytes(b"x")
    assert "digits.tflite" in refusal(tmp_path / "digit.tflite")
    assert "nor does the folder" in refusal(tmp_path / "a" / "b")


def test_the_error_for_a_folder_without_artifact_lists_expected_and_found_files(tmp_path: Path) -> None:
    assert "nothing at all" in refusal(tmp_path)
    for n in range(11):
        (tmp_path / f"file{n:02}").touch()
    sentence = refusal(tmp_path)
    assert "saved_model.pb" in sentence
    assert "file00" in sentence
    assert "and 3 more" in sentence


def test_the_error_for_a_folder_of_artifacts_lists_them(tmp_path: Path) -> None:
    handmade.saved_model(tmp_path / "00042", handmade.meta_graph("serve"))
    assert refusal(tmp_path).endswith("name one of them: 00042/")
    (tmp_path / "crossload.json").write_text("{}")
    assert "is a bundle" in refusal(tmp_path)


def test_the_error_for_a_saved_model_pb_names_its_folder(tmp_path: Path) -> None:
    folder = handmade.saved_model(tmp_path / "m", handmade.meta_graph("serve"))
    assert refusal(folder / "saved_model.pb").endswith(str(folder))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"\x80\x04\x95pickle", "not an artifact that crossload knows"),
        (b"\n<!DOCTYPE html><html></html>", "is an HTML page, not a model: download the file itself"),
        (b"model_checkpoint_path: 'x'\n", "is the state file of a folder of checkpoints"),
        (b"\n\x05\n\x03abc", "nodes without name or op"),
        (b"PK\x03\x04", "corrupt zip"),
        (b"\0\0\0\0TFL2", "not an artifact that crossload knows"),
    ],
)
def test_the_error_for_a_file_that_is_not_an_artifact_gives_the_reason(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "file").write_bytes(content)
    assert said in refusal(tmp_path / "file")


def test_a_zip_without_a_model_is_not_a_keras_file(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as archive:
        archive.writestr("saved_model/saved_model.pb", b"")
    assert "not a .keras file" in refusal(tmp_path / "model.zip")


def test_special_files_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "neither a file nor a folder" in refusal(tmp_path / "pipe")
    assert "cannot be read" in refusal(tmp_path / ("x" * 300))


def test_a_metagraph_without_a_graph_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(message_class("tensorflow.MetaGraphDef")().SerializeToString() + b"\n\2\n\0")
    assert "not a GraphDef" in refusal(tmp_path / "m")


def test_reading_imports_neither_tensorflow_nor_numpy(tmp_path: Path) -> None:
    paths = [handmade.saved_model(tmp_path / "m", handmade.meta_graph("serve")), handmade.write_graph(tmp_path / "g.pb", handmade.graph())]
    program = (
        "import sys; from pathlib import Path; from crossload import artifacts\n"
        f"for path in {[str(p) for p in paths]}: artifacts.read(Path(path)).to_json()\n"
        "print([m for m in ('tensorflow', 'keras', 'numpy', 'pydantic', 'rich', 'flatbuffers') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
