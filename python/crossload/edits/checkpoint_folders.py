"""The checkpoints of a folder: list them, and change the state file and the files together, so that they stay consistent.

To remove a checkpoint, the state file is changed first: even after an interruption it never names a removed checkpoint.
Sources: tensorflow/python/checkpoint/checkpoint_management.py (the state file), tensorflow/python/training/saver.py (files' names).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from crossload.artifacts.checkpoints import checkpoint, state_file
from crossload.artifacts.checkpoints.checkpoint_protos import messages
from crossload.artifacts.checkpoints.state_file import State
from crossload.artifacts.recognition import SAVED_MODEL_FILES, STATE_FILE, index_of, is_table, unsharded, v1_files
from crossload.errors import ArtifactError, CrossloadError
from crossload.support import files
from crossload.support.text import near

# The suffixes of a checkpoint's files (tensor_bundle/naming.h; saver.py), in the order of removal: the index first, so that a partly
# removed checkpoint does not look whole, and the graph before the data, so that the rest remains visible.
_SUFFIXES = (r"\.index", r"-[0-9]{5}-of-[0-9]{5}", "", r"\.meta", r"\.data-[0-9]{5}-of-[0-9]{5}")


@dataclass(frozen=True)
class Held:
    """A checkpoint of a folder.

    `files` are its own, in the order of removal; `time` is in seconds since 1970, from the state file, else from its newest file;
    `problem` is the reason why it cannot be loaded, if any; `managed`: the state file lists it, so TensorFlow will delete it
    eventually.
    """

    name: str
    files: tuple[Path, ...]
    step: int | None
    time: float
    version: str | None
    problem: str | None
    served: bool
    managed: bool

    @property
    def complete(self) -> bool:
        """Whether it can be loaded, judging by the lengths of its files."""
        return self.problem is None

    @property
    def size_bytes(self) -> int:
        """The bytes of all its files, including the graph."""
        return sum(file.stat().st_size for file in self.files)

    def to_json(self) -> dict[str, Any]:
        """An element of `checkpoints` in `crossload checkpoint list --json`."""
        return {
            "name": self.name,
            "step": self.step,
            "time": self.time,
            "size_bytes": self.size_bytes,
            "version": self.version,
            "complete": self.complete,
            "problem": self.problem,
            "served": self.served,
            "managed": self.managed,
            "files": [file.name for file in self.files],
        }


@dataclass(frozen=True)
class Folder:
    """A folder of checkpoints, the oldest first; `problem` is the problem of its state file, if any."""

    path: Path
    checkpoints: tuple[Held, ...]
    state: State | None
    problem: str | None

    @property
    def served(self) -> Held | None:
        """The latest checkpoint according to the state file, if it exists."""
        return next((held for held in self.checkpoints if held.served), None)

    def named(self, name: str) -> Held:
        """The checkpoint with this name (or whose index has it); raises ArtifactError with near names."""
        names = {held.name: held for held in self.checkpoints}
        found = names.get(name) or names.get(name.removesuffix(".index"))
        if found is None:
            raise ArtifactError(
                f"{self.path} has no checkpoint {name!r}{near(name, names)}; `crossload checkpoint list {self.path}` lists what it has"
            )
        return found

    def to_json(self) -> dict[str, Any]:
        """The object of `crossload checkpoint list --json`."""
        return {
            "folder": str(self.path),
            "served": self.served.name if self.served else None,
            "state_file": self.state.served if self.state else None,
            "problem": self.problem,
            "checkpoints": [held.to_json() for held in self.checkpoints],
        }


def read(folder: Path, check: bool = False) -> Folder:
    """The folder's checkpoints: first those that the state file does not list, by step, then those that it lists, in its order.

    With `check` it reads every value and verifies its checksum. Raises ArtifactError for a path that is not a folder with checkpoints.
    """
    if not folder.is_dir():
        raise ArtifactError(f"{folder} is not a folder; name the folder of the checkpoints")
    state, problem = None, None
    try:
        if (folder / STATE_FILE).exists():
            state = state_file.read(folder)
        else:
            problem = f"there is no state file; `crossload checkpoint use {folder} NAME` writes one"
    except ArtifactError as error:
        problem = str(error)
    groups = _groups(folder)
    if not groups:
        raise ArtifactError(f"{folder} holds no checkpoint: none of its files has the name of a checkpoint file; name another folder")
    times = _times(folder, state)
    served = _name(folder, state.served) if state else None
    if state is not None and served not in groups:
        where = "which does not exist" if _is_stale(folder, state.served) else "which is in another folder"
        problem = f"{folder / STATE_FILE} points to {state.served!r}, {where}; {_cure(folder, state, groups)}"
    held = [_held(folder / name, own, check, times, name == served) for name, own in groups.items()]
    order = list(times)
    held.sort(key=lambda h: (order.index(h.name) if h.managed else -1, h.step if h.step is not None else -1, h.time, h.name))
    return Folder(folder, tuple(held), state, problem)


def use(folder: Path, name: str) -> Folder:
    """Make a checkpoint the latest in the state file; the rest of the file stays unchanged.

    The checkpoint is not added to the list that TensorFlow manages, because TensorFlow would delete it eventually. If the folder was
    moved or copied, entries of the list that point to its old place are changed to this folder. Raises ArtifactError for a missing or
    incomplete checkpoint.
    """
    there = read(folder)
    chosen = there.named(name)
    if chosen.problem:
        raise ArtifactError(f"{folder / chosen.name} cannot be loaded: {chosen.problem}; use another, or remove it")
    state = there.state
    if state is None:
        written = _spelt(folder, chosen, absolute=False)
        _write(folder, State(written, (written,), (chosen.time,)))
    else:
        names = {h.name: h for h in there.checkpoints}
        paths = [_mended(folder, path, names) for path in state.paths]
        listed = next((path for path in paths if _name(folder, path) == chosen.name), None)
        absolute = Path(state.served).is_absolute() and _name(folder, state.served) is not None
        _write(folder, replace(state, served=listed or _spelt(folder, chosen, absolute), paths=tuple(paths)))
    return read(folder)


def remove(folder: Path, names: Collection[str], force: bool = False) -> list[Held]:
    """Delete checkpoints, all their files, and their entries in the state file; returns the deleted ones.

    The served one is deleted only with `force`: then the newest remaining complete one is served; if none remains, the state file is
    deleted as well. Raises ArtifactError, before any change, for an unknown name, for the served one without `force`, for an unreadable
    state file, and for the variables of a SavedModel.
    """
    there = read(folder)
    going = [there.named(name) for name in dict.fromkeys(names)]
    if folder.resolve().name == "variables" and any((folder.resolve().parent / file).is_file() for file in SAVED_MODEL_FILES):
        raise ArtifactError(f"{folder} belongs to the SavedModel around it, which needs its variables; remove the whole SavedModel")
    if there.state is None and (folder / STATE_FILE).exists():
        raise ArtifactError(f"nothing was removed: {there.problem}")
    if there.served in going and not force:
        raise CrossloadError(
            f"{folder / going[going.index(there.served)].name} is the checkpoint that the state file serves; serve another one "
            f"(`crossload checkpoint use {folder} NAME`), or remove it with --force"
        )
    if there.state is not None:
        _forget(there, there.state, {held.name for held in going})
    for held in going:
        for file in held.files:
            file.unlink(missing_ok=True)
    return going


def to_prune(there: Folder, keep: int, keep_every: int | None = None) -> list[Held]:
    """The checkpoints to delete, the oldest first: those with at least `keep` newer ones of the same name except for the step.

    The served one, those with a step that is a multiple of `keep_every`, and incomplete ones (a program may still be writing them) are
    always kept.
    """
    going = []
    families: dict[str, list[Held]] = {}
    for held in there.checkpoints:
        if held.complete:
            families.setdefault(re.sub(r"-[0-9]+$", "", held.name), []).append(held)
    for family in families.values():
        for held in family[: max(0, len(family) - keep)]:
            if not held.served and not (keep_every and held.step is not None and held.step % keep_every == 0):
                going.append(held)
    return [held for held in there.checkpoints if held in going]


def respell(folder: Path, absolute_in: Path | None = None) -> None:
    """Rewrite the paths in the folder's state file: relative to it, or absolute in the folder `absolute_in`.

    Paths of checkpoints outside the folder are removed: otherwise saving into a copy of a folder would make TensorFlow delete the
    oldest checkpoint in the original. Raises ArtifactError as `read` does.
    """
    state = state_file.read(folder)
    names = {held.name: held for held in read(folder).checkpoints}
    stamps = state.timestamps if len(state.timestamps) == len(state.paths) else ()

    def spelt(path: str) -> str:
        name = state_file.resolve(folder, path).name
        own = _spelt(folder, names[name], absolute=False) if name in names else path
        return str(absolute_in.resolve() / own) if absolute_in else own

    stays = [at for at, path in enumerate(state.paths) if state_file.resolve(folder, path).name in names]
    paths, times = tuple(spelt(state.paths[at]) for at in stays), tuple(stamps[at] for at in stays if stamps)
    _write(folder, replace(state, served=spelt(state.served), paths=paths, timestamps=times))


def _groups(folder: Path) -> dict[str, list[Path]]:
    """The files of each checkpoint of the folder, by its name, in the order of _SUFFIXES; a graph alone is not a checkpoint."""
    names = {prefix.name for prefix in state_file.prefixes(folder)}
    everything = [file for file in sorted(folder.iterdir()) if file.is_file()]
    # A checkpoint without its index is still found by its data.
    names |= {m[1] for file in everything if (m := re.fullmatch(rf"(.+){_SUFFIXES[-1]}", file.name, re.DOTALL))}
    found: dict[str, list[tuple[int, Path]]] = {}
    for file in everything:
        for name, at in _belongs(file):
            if name in names:
                found.setdefault(name, []).append((at, file))
    return {name: [file for _, file in sorted(own)] for name, own in found.items()}


def _belongs(file: Path) -> Iterator[tuple[str, int]]:
    """The names of checkpoints that this file may belong to, and which part it is."""
    for at, suffix in enumerate(_SUFFIXES):
        match = re.fullmatch(rf"(.+?){suffix}", file.name, re.DOTALL)
        # A file named like a V1 checkpoint may be anything.
        if match and (at not in (1, 2) or (is_table(file) and not (at == 2 and (file.suffix == ".index" or unsharded(file) != file)))):
            yield match[1], at


def _held(prefix: Path, own: list[Path], check: bool, times: dict[str, float], served: bool) -> Held:
    version, problem, found = None, None, None
    index = index_of(prefix)
    try:
        found = checkpoint.read(index if index.is_file() else prefix)
        version = found.version
        problem = "; ".join(found.diagnosis[:1]) if found.missing_files or found.truncated_files else None
        if check and not problem:
            for variable in found.variables:
                found.tensor(variable.name)
    except ArtifactError as error:
        lost = not index.is_file() and any(".data-" in file.name for file in own)
        problem = f"incomplete: {index.name} is missing; copy all files of the checkpoint, or remove it" if lost else str(error)
    step = re.search(r"-([0-9]{1,18})$", prefix.name)
    time = times.get(prefix.name) or max(file.stat().st_mtime for file in own)
    number = int(step[1]) if step else _step(found) if found is not None and not problem else None
    return Held(prefix.name, tuple(own), number, time, version, problem, served, prefix.name in times)


def _step(found: checkpoint.Checkpoint) -> int | None:
    """The step of a checkpoint without a step in its name: the value of global_step."""
    for variable in found.variables:
        if variable.name == "global_step" and variable.datatype in ("INT64", "INT32") and not variable.shape:
            try:
                return int(found.tensor(variable.name))
            except ArtifactError:
                return None
    return None


def _times(folder: Path, state: State | None) -> dict[str, float]:
    """The names that the state file lists, in its order, with their timestamps (0 if it has none)."""
    if state is None:
        return {}
    stamps = state.timestamps if len(state.timestamps) == len(state.paths) else (0.0,) * len(state.paths)
    return {name: stamp for path, stamp in zip(state.paths, stamps, strict=True) if (name := _name(folder, path))}


def _name(folder: Path, path: str) -> str | None:
    """The name of the folder's checkpoint at a path in its state file; None for a path elsewhere."""
    prefix = state_file.resolve(folder, path)
    try:
        return prefix.name if prefix.parent.resolve() == folder.resolve() else None
    except (OSError, ValueError, RuntimeError):  # not a valid file name, or a link to itself
        return None


def _is_stale(folder: Path, path: str) -> bool:
    """Whether a path in the folder's state file points to nothing."""
    prefix = state_file.resolve(folder, path)
    try:
        return not (prefix.name and (index_of(prefix).is_file() or v1_files(prefix)))
    except (OSError, ValueError):
        return True


def _cure(folder: Path, state: State, names: Collection[str]) -> str:
    name = state_file.resolve(folder, state.served).name
    if name in names:
        return f"this folder has one of that name, so it may have been moved: `crossload checkpoint use {folder} {name}` fixes it"
    return f"`crossload checkpoint use {folder} NAME` makes one of these the latest: {state_file.listed(folder)}"


def _spelt(folder: Path, held: Held, absolute: bool) -> str:
    """The path of a checkpoint as TensorFlow writes it in state files: for V1 shards, their pattern."""
    shards = [file.name for file in held.files if unsharded(file) != file]
    name = re.sub(r"-[0-9]{5}(-of-[0-9]{5})$", r"-?????\1", shards[0]) if held.version == "v1" and shards else held.name
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ArtifactError(f"{folder / held.name} cannot be named in a state file, which is UTF-8; rename its files first") from None
    return str(folder.resolve() / name) if absolute else name


def _mended(folder: Path, path: str, names: dict[str, Held]) -> str:
    """The path, or a relative one if it points to the folder's old place, where TensorFlow would otherwise delete files."""
    name = state_file.resolve(folder, path).name
    return _spelt(folder, names[name], absolute=False) if name in names and _name(folder, path) is None else path


def _forget(there: Folder, state: State, names: Collection[str]) -> None:
    """Rewrite the state file without these checkpoints, or delete it if none is left to serve."""
    stays = [i for i, path in enumerate(state.paths) if _name(there.path, path) not in names]
    stamps = state.timestamps if len(state.timestamps) == len(state.paths) else ()
    served = state.served
    if _name(there.path, served) in names:
        left = [held for held in there.checkpoints if held.name not in names and held.complete]
        if not left:
            (there.path / STATE_FILE).unlink()
            return
        listed = next((path for path in state.paths if _name(there.path, path) == left[-1].name), None)
        served = listed or _spelt(there.path, left[-1], Path(served).is_absolute())
    mended = replace(state, served=served, paths=tuple(state.paths[i] for i in stays), timestamps=tuple(stamps[i] for i in stays if stamps))
    if mended != state:
        _write(there.path, mended)


def _write(folder: Path, state: State) -> None:
    from google.protobuf import text_format

    proto = messages()["CheckpointState"](model_checkpoint_path=state.served)
    proto.all_model_checkpoint_paths.extend(state.paths)
    proto.all_model_checkpoint_timestamps.extend(state.timestamps)
    if state.preserved is not None:
        proto.last_preserved_timestamp = state.preserved
    files.write_text(folder / STATE_FILE, text_format.MessageToString(proto))
