"""Checkpoints of a folder: the list, and the consistency of the state file and the files."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossload.artifacts.checkpoints import checkpoint, state_file
from crossload.edits import checkpoint_folders
from crossload.errors import ArtifactError, CrossloadError
from crossload.runtimes import environments, registry
from crossload.support import files
from tests.corpus import v1_checkpoints
from tests.corpus.checkpoint_folders import beside, files_of, names, saved, serving
from tests.corpus.checkpoints import entry, write

# TensorFlow in a folder that crossload has changed: find the latest checkpoint, restore it, continue saving and deleting.
MANAGER = """
import json, sys
import tensorflow as tf
folder, action = sys.argv[1:]
value = tf.Variable(0)
model = tf.train.Checkpoint(value=value)
manager = tf.train.CheckpointManager(model, folder, max_to_keep=3)
if action == "save":
    for n in range(1, 5):
        value.assign(n)
        manager.save()
latest = tf.train.latest_checkpoint(folder)
model.restore(latest)
restored = int(value)
listed = manager.checkpoints
if action == "go on":
    for n in range(3):
        value.assign(100 + n)
        manager.save()
print(json.dumps([latest, restored, listed, manager.checkpoints]))
"""
SAVER = """
import json, os, sys
import tensorflow as tf
v1 = tf.compat.v1
v1.disable_eager_execution()
folder, version, sharded = sys.argv[1], sys.argv[2], sys.argv[3] == "True"
value = v1.get_variable("value", initializer=0)
saver = v1.train.Saver(sharded=sharded, max_to_keep=9, write_version=getattr(v1.train.SaverDef, version))
with v1.Session() as session:
    session.run(v1.global_variables_initializer())
    if not tf.train.latest_checkpoint(folder):
        for n in range(1, 4):
            session.run(value.assign(n))
            saver.save(session, os.path.join(folder, "model.ckpt"), global_step=n)
    latest = tf.train.latest_checkpoint(folder)
    saver.restore(session, latest)
    print(json.dumps([latest, int(session.run(value))]))
"""


def tensorflow(program: str, *arguments: object) -> list[object]:
    python = environments.prepare(registry.find(["tensorflow+python"])[0].source).argv[0]
    done = subprocess.run([python, "-c", program, *map(str, arguments)], check=True, capture_output=True, text=True)
    found: list[object] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_the_list_has_steps_times_sizes_and_the_served_checkpoint(tmp_path: Path) -> None:
    folder = serving(saved(tmp_path, "model-10", "model-9", "model-1"), "model-9", "model-9", "model-10", stamps=True)
    found = checkpoint_folders.read(folder)
    assert found.problem is None
    assert [(h.name, h.step, h.time, h.served, h.managed) for h in found.checkpoints] == [
        ("model-1", 1, 1002, False, False), ("model-9", 9, 1000.25, True, True), ("model-10", 10, 1001.25, False, True)
    ]  # fmt: skip
    first = found.checkpoints[0]
    assert first.size_bytes == sum(file.stat().st_size for file in folder.glob("model-1.*"))
    assert {file.name for file in first.files} == files_of("model-1")
    assert json.loads(json.dumps(found.to_json()))["served"] == "model-9"


def test_without_a_step_in_the_name_global_step_counts(tmp_path: Path) -> None:
    write(tmp_path / "best", {b"global_step": entry(b"\x07" + bytes(7), 9, ())}, b"\x07" + bytes(7))
    assert [(h.name, h.step) for h in checkpoint_folders.read(tmp_path).checkpoints] == [("best", 7)]


def test_incomplete_checkpoints_name_their_missing_files(tmp_path: Path) -> None:
    folder = saved(tmp_path, "a-1", "a-2", "a-3", "a-4", "a-5")
    (folder / "a-1.index").unlink()
    (folder / "a-2.data-00000-of-00001").unlink()
    (folder / "a-3.data-00000-of-00001").write_bytes(b"short")
    (folder / "a-4.index").write_bytes(b"torn")
    said = {h.name: h.problem for h in checkpoint_folders.read(folder).checkpoints}
    assert "a-1.index is missing" in str(said["a-1"])
    assert "a-2.data-00000-of-00001 is missing" in str(said["a-2"])
    assert "a-3.data-00000-of-00001 is shorter" in str(said["a-3"])
    assert "truncated or corrupt" in str(said["a-4"])
    assert said["a-5"] is None


def test_check_reads_every_value(tmp_path: Path) -> None:
    data = saved(tmp_path, "a-1") / "a-1.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-1] + b"\x01")
    assert checkpoint_folders.read(tmp_path).checkpoints[0].complete
    assert "checksum of the tensor 'w'" in str(checkpoint_folders.read(tmp_path, check=True).checkpoints[0].problem)


def test_a_copied_folder_manages_its_own_files_alone(tmp_path: Path) -> None:
    here, before = saved(tmp_path / "copy", "a-1", "a-2"), tmp_path / "training"
    serving(here, f"{before}/a-2", f"{before}/a-0", f"{before}/a-1", f"{before}/a-2", stamps=True)
    checkpoint_folders.respell(here)
    state = state_file.read(here)
    assert (state.served, state.paths, state.timestamps) == ("a-2", ("a-1", "a-2"), (1001.25, 1002.25))
    assert state.preserved == 1700000000.123456
    checkpoint_folders.respell(here, absolute_in=before)
    assert state_file.read(here).paths == (f"{before}/a-1", f"{before}/a-2")


def test_a_graph_alone_and_other_files_are_not_checkpoints(tmp_path: Path) -> None:
    folder = saved(tmp_path, "a-1")
    for name in ("b-2.meta", "events.out.tfevents.1", "graph.pbtxt", "notes-00000-of-00001", "a-1.txt"):
        (folder / name).write_bytes(b"whatever it is")
    assert names(folder) == ["a-1"]
    assert {file.name for file in checkpoint_folders.read(folder).checkpoints[0].files} == files_of("a-1")
    with pytest.raises(ArtifactError, match="holds no checkpoint"):
        checkpoint_folders.read(files_only(tmp_path / "none"))
    with pytest.raises(ArtifactError, match="is not a folder"):
        checkpoint_folders.read(folder / "a-1.meta")


def files_only(folder: Path) -> Path:
    folder.mkdir()
    (folder / "graph.meta").touch()
    return folder


def test_the_problem_of_a_dangling_state_file_lists_the_checkpoints(tmp_path: Path) -> None:
    folder = serving(saved(tmp_path, "a-1"), "a-2", "a-2")
    found = checkpoint_folders.read(folder)
    assert found.served is None
    assert "points to 'a-2', which does not exist" in str(found.problem)
    assert str(found.problem).endswith("NAME` makes one of these the latest: a-1")
    (folder / "checkpoint").write_text("{{{")
    assert "not a checkpoint state file, or is corrupt" in str(checkpoint_folders.read(folder).problem)
    (folder / "checkpoint").unlink()
    assert "no state file" in str(checkpoint_folders.read(folder).problem)


def test_use_changes_only_the_served_checkpoint(tmp_path: Path) -> None:
    folder = serving(saved(tmp_path, "a-1", "a-2", "a-3"), "a-3", "a-2", "a-3", stamps=True)
    before = state_file.read(folder)
    assert checkpoint_folders.use(folder, "a-2").served == checkpoint_folders.read(folder).named("a-2")
    assert state_file.read(folder) == state_file.State("a-2", before.paths, before.timestamps, 1700000000.123456)
    # An unmanaged checkpoint stays out of TensorFlow's list, or TensorFlow would delete it eventually.
    checkpoint_folders.use(folder, "a-1.index")
    assert state_file.read(folder) == state_file.State("a-1", before.paths, before.timestamps, 1700000000.123456)
    assert beside(folder) == files_of("a-1", "a-2", "a-3")


def test_use_replaces_a_missing_or_broken_state_file(tmp_path: Path) -> None:
    folder = saved(tmp_path, "a-1", "a-2")
    checkpoint_folders.use(folder, "a-1")
    assert state_file.read(folder) == state_file.State("a-1", ("a-1",), (1000.0,))
    (folder / "checkpoint").write_text("{{{")
    checkpoint_folders.use(folder, "a-2")
    assert state_file.latest(folder) == folder / "a-2"


def test_use_refuses_unloadable_or_missing_checkpoints(tmp_path: Path) -> None:
    folder = serving(saved(tmp_path, "a-1", "a-2"), "a-1", "a-1", "a-2")
    (folder / "a-2.data-00000-of-00001").unlink()
    before = (folder / "checkpoint").read_bytes()
    for name, said in (("a-2", "cannot be loaded"), ("a-11", "near it are 'a-1'")):
        with pytest.raises(ArtifactError, match=said):
            checkpoint_folders.use(folder, name)
    assert (folder / "checkpoint").read_bytes() == before


def test_relative_paths_stay_relative_and_absolute_ones_absolute(tmp_path: Path) -> None:
    relative = serving(saved(tmp_path / "r", "a-1", "a-2", "a-3"), "a-3", "a-1", "a-2", "a-3")
    absolute = saved(tmp_path / "a", "a-1", "a-2", "a-3")
    serving(absolute, f"{absolute}/a-3", *(f"{absolute}/a-{n}" for n in (2, 3)))
    for folder, start in ((relative, ""), (absolute, f"{absolute}/")):
        checkpoint_folders.use(folder, "a-1")
        assert state_file.read(folder).served == f"{start}a-1"
        checkpoint_folders.remove(folder, ["a-2"])
        assert state_file.read(folder).paths[-1] == f"{start}a-3"
        checkpoint_folders.remove(folder, ["a-1"], force=True)
        assert state_file.read(folder) == state_file.State(f"{start}a-3", (f"{start}a-3",), (), 1700000000.123456)


def test_paths_in_a_moved_or_copied_folder_are_changed_to_it(tmp_path: Path) -> None:
    old = saved(tmp_path / "old", "a-1", "a-2")
    serving(old, f"{old}/a-2", f"{old}/a-1", f"{old}/a-2")
    new = saved(tmp_path / "new", "a-1", "a-2")
    (new / "checkpoint").write_bytes((old / "checkpoint").read_bytes())
    assert "which is in another folder" in str(checkpoint_folders.read(new).problem)
    old.rename(tmp_path / "elsewhere")
    assert f"`crossload checkpoint use {new} a-2` fixes it" in str(checkpoint_folders.read(new).problem)
    checkpoint_folders.use(new, "a-2")
    assert state_file.read(new).paths == ("a-1", "a-2")
    assert state_file.latest(new) == new / "a-2"


def test_remove_deletes_exactly_the_files_of_one_checkpoint(tmp_path: Path) -> None:
    folder = saved(tmp_path, "model-1", "model-10", "model", "model-1.index-2")
    serving(folder, "model", "model-1", "model-10", "model", stamps=True)
    removed = checkpoint_folders.remove(folder, ["model-1"])
    assert [held.name for held in removed] == ["model-1"]
    assert beside(folder) == files_of("model-10", "model", "model-1.index-2")
    assert state_file.read(folder) == state_file.State("model", ("model-10", "model"), (1001.25, 1002.25), 1700000000.123456)


def test_removing_the_served_checkpoint_needs_force_and_serves_the_newest_complete_one(tmp_path: Path) -> None:
    folder = serving(saved(tmp_path, "a-1", "a-2", "a-3", "a-4"), "a-4", "a-1", "a-2", "a-3", "a-4")
    before = (folder / "checkpoint").read_bytes()
    with pytest.raises(CrossloadError, match="--force"):
        checkpoint_folders.remove(folder, ["a-1", "a-4"])
    assert (folder / "checkpoint").read_bytes() == before
    assert beside(folder) == files_of("a-1", "a-2", "a-3", "a-4")
    (folder / "a-3.data-00000-of-00001").unlink()
    checkpoint_folders.remove(folder, ["a-4"], force=True)
    assert state_file.read(folder).served == "a-2"
    checkpoint_folders.remove(folder, ["a-1", "a-2", "a-3"], force=True)
    assert list(folder.iterdir()) == []


def test_an_interrupted_removal_leaves_a_correct_state_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine, interrupted = Path.unlink, 0
    for stop in range(10):
        folder = serving(saved(tmp_path / str(stop), "a-1", "a-2", "a-3"), "a-3", "a-1", "a-2", "a-3")
        left = [None] * stop

        def unlink(path: Path, missing_ok: bool = False, left: list[None] = left) -> None:
            if not left:
                raise KeyboardInterrupt
            left.pop()
            genuine(path, missing_ok)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", unlink)
            try:
                checkpoint_folders.remove(folder, ["a-1", "a-3"], force=True)
            except KeyboardInterrupt:
                interrupted += 1
        found = checkpoint_folders.read(folder)
        assert found.problem is None
        assert found.served is not None
        assert found.served.complete
        # The remaining files are found, and a second removal deletes them.
        checkpoint_folders.remove(folder, [held.name for held in found.checkpoints if not held.served])
        assert beside(folder) == files_of("a-2")
    assert interrupted >= 6  # files


def test_an_unreadable_state_file_prevents_removal(tmp_path: Path) -> None:
    folder = saved(tmp_path, "a-1", "a-2")
    (folder / "checkpoint").write_text("{{{")
    with pytest.raises(ArtifactError, match="nothing was removed"):
        checkpoint_folders.remove(folder, ["a-1"])
    assert beside(folder) == files_of("a-1", "a-2")


def test_the_variables_of_a_saved_model_are_not_removed(tmp_path: Path) -> None:
    folder = saved(tmp_path / "variables", "variables")
    (tmp_path / "saved_model.pb").touch()
    with pytest.raises(ArtifactError, match="belongs to the SavedModel"):
        checkpoint_folders.remove(folder, ["variables"])
    assert beside(folder) == files_of("variables")


def test_prune_keeps_the_newest_the_served_and_every_nth_step(tmp_path: Path) -> None:
    folder = saved(tmp_path, *(f"a-{n}" for n in (100, 200, 300, 900, 1000)), "best-5", "best-50", "last")
    serving(folder, "a-200", "a-900", "a-1000")
    (folder / "a-300.data-00000-of-00001").unlink()
    there = checkpoint_folders.read(folder)
    assert [h.name for h in checkpoint_folders.to_prune(there, 1)] == ["best-5", "a-100", "a-900"]
    assert [h.name for h in checkpoint_folders.to_prune(there, 1, 100)] == ["best-5"]
    assert [h.name for h in checkpoint_folders.to_prune(there, 2)] == ["a-100"]
    assert checkpoint_folders.to_prune(there, 9) == []


def test_listed_checkpoints_are_newer_than_unlisted_ones(tmp_path: Path) -> None:
    # Training restarted at step 0: higher steps are from an earlier run.
    folder = serving(saved(tmp_path, "a-1", "a-2", "a-900"), "a-2", "a-1", "a-2")
    assert names(folder) == ["a-900", "a-1", "a-2"]
    assert [h.name for h in checkpoint_folders.to_prune(checkpoint_folders.read(folder), 2)] == ["a-900"]


def test_sharded_v1_checkpoints_are_served_by_their_pattern(tmp_path: Path) -> None:
    one, shards = tmp_path / "one", tmp_path / "shards"
    for folder in (one, shards):
        folder.mkdir()
        saved(folder, "other-1")
    v1_checkpoints.small(one)
    v1_checkpoints.sharded(shards)
    for folder, served in ((one, "model.ckpt"), (shards, "model.ckpt-?????-of-00002")):
        (folder / "model.ckpt.meta").touch()
        checkpoint_folders.use(folder, "model.ckpt")
        assert state_file.read(folder).served == served
        assert checkpoint.read(folder).prefix == folder / "model.ckpt"
        checkpoint_folders.remove(folder, ["model.ckpt"], force=True)
        assert beside(folder) == files_of("other-1")
        assert state_file.read(folder).served == "other-1"


def test_a_state_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = serving(saved(tmp_path, "a-1", "a-2"), "a-2", "a-1", "a-2")
    before = (folder / "checkpoint").read_bytes()

    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "_sync", full)
    for action in (lambda: checkpoint_folders.use(folder, "a-1"), lambda: checkpoint_folders.remove(folder, ["a-2"], force=True)):
        with pytest.raises(OSError, match="No space left"):
            action()
        assert (folder / "checkpoint").read_bytes() == before
        assert beside(folder) == files_of("a-1", "a-2")


@pytest.mark.slow
def test_tensorflows_manager_continues_in_a_changed_folder(tmp_path: Path) -> None:
    assert tensorflow(MANAGER, tmp_path, "save")[:2] == [str(tmp_path / "ckpt-4"), 4]
    assert names(tmp_path) == ["ckpt-2", "ckpt-3", "ckpt-4"]
    checkpoint_folders.use(tmp_path, "ckpt-3")
    checkpoint_folders.remove(tmp_path, ["ckpt-2"])
    latest, restored, listed, then = tensorflow(MANAGER, tmp_path, "go on")
    assert (latest, restored) == (str(tmp_path / "ckpt-3"), 3)
    assert listed == [str(tmp_path / f"ckpt-{n}") for n in (3, 4)]
    assert len(then) == 3  # type: ignore[arg-type]
    assert names(tmp_path) == [Path(path).name for path in then]  # type: ignore[attr-defined]
    assert checkpoint_folders.read(tmp_path).problem is None
    checkpoint_folders.remove(tmp_path, [names(tmp_path)[-1]], force=True)
    served = checkpoint_folders.read(tmp_path).served
    assert served is not None
    assert tensorflow(MANAGER, tmp_path, "look")[0] == str(tmp_path / served.name)


@pytest.mark.slow
@pytest.mark.parametrize(("version", "sharded"), [("V1", False), ("V1", True), ("V2", True)])
def test_tensorflow_restores_the_served_checkpoint(tmp_path: Path, version: str, sharded: bool) -> None:
    tensorflow(SAVER, tmp_path, version, sharded)
    assert [(h.name, h.step, h.version, h.complete) for h in checkpoint_folders.read(tmp_path).checkpoints] == [
        (f"model.ckpt-{n}", n, version.lower(), True) for n in (1, 2, 3)
    ]
    checkpoint_folders.use(tmp_path, "model.ckpt-1")
    assert tensorflow(SAVER, tmp_path, version, sharded)[1] == 1
    checkpoint_folders.remove(tmp_path, ["model.ckpt-1", "model.ckpt-3"], force=True)
    assert tensorflow(SAVER, tmp_path, version, sharded)[1] == 2
    assert {unstepped.split(".ckpt-")[1][0] for unstepped in beside(tmp_path)} == {"2"}


_text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
_number = st.floats(allow_nan=False, allow_infinity=False)


@given(served=_text, listed=st.lists(st.tuples(_text, _number), max_size=3), preserved=st.none() | _number)
def test_a_state_file_round_trips(tmp_path: Path, served: str, listed: list[tuple[str, float]], preserved: float | None) -> None:
    state = state_file.State(served, tuple(path for path, _ in listed), tuple(stamp for _, stamp in listed), preserved)
    checkpoint_folders._write(tmp_path, state)
    assert state_file.read(tmp_path) == state


@given(content=st.binary(max_size=60), whole=st.booleans())
def test_any_state_file_is_read_or_refused(tmp_path: Path, content: bytes, whole: bool) -> None:
    if not (tmp_path / "a-1.index").exists():
        saved(tmp_path, "a-1")
    (tmp_path / "checkpoint").write_bytes((b"" if whole else b'model_checkpoint_path: "a-1" all_model_checkpoint_paths: "') + content)
    found = checkpoint_folders.read(tmp_path)
    assert [held.name for held in found.checkpoints] == ["a-1"]
    assert (found.served is None) == (found.problem is not None)
    assert checkpoint_folders.use(tmp_path, "a-1").served is not None
