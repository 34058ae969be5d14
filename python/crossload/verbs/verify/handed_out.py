"""What a worker is given of a bundle: the artifacts, in a folder without the recorded answers; and whether it has changed them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from crossload.artifacts import parts_of
from crossload.contract.bundle import Bundle
from crossload.contract.manifest import Artifact
from crossload.support import files

# Files up to this size are copied, so that a worker cannot change the bundle's own.
_SMALL_BYTES = 16 << 20


@dataclass
class HandedOut:
    """The artifacts of a bundle for one runtime, below `root` by their paths in the bundle; `cautions` says what could not be done."""

    bundle: Bundle
    root: Path
    cautions: list[str] = field(default_factory=list)
    _states: dict[str, dict[Path, tuple[int, ...]]] = field(default_factory=dict)

    def path(self, artifact: Artifact) -> Path:
        """The path to load the artifact from; the bundle's own for what lies outside it."""
        own, given = self._places(artifact)
        if given is None:
            return own
        if artifact.id not in self._states:
            try:
                _give(own, given, self.root.parent / "shared", artifact.format)
            except OSError as error:
                why = f"it cannot be copied to {self.root.parent} ({error.strerror})"
                self.cautions.append(f"the workers of {artifact.id} see the folder of the recorded answers: {why}")
                return own
            self._states[artifact.id] = _state(given)
        return given

    def changed(self, artifact: Artifact) -> str | None:
        """What happened to the files of an artifact since they were handed out; None if they are what they were.

        A file whose status has not changed (its inode's ctime, which nobody can set) is not read again.
        """
        _, given = self._places(artifact)
        if given is None or artifact.id not in self._states or _state(given) == self._states[artifact.id]:
            return None
        if given.exists() and files.sha256(given) == artifact.sha256:
            return None
        return f"the files of {artifact.id} were changed during the run (their sha256 is no longer the manifest's): no answer counts"

    def as_in_bundle(self, text: str | None) -> str | None:
        """A text of a worker with the bundle's own paths."""
        return text and text.replace(str(self.root.resolve()), str(self.bundle.root.resolve()))

    def _places(self, artifact: Artifact) -> tuple[Path, Path | None]:
        """Where an artifact is, and where it is handed out: None for one outside the bundle. The manifest's path may go up and down."""
        own, bundle = self.bundle.path(artifact).resolve(), self.bundle.root.resolve()
        return own, self.root / own.relative_to(bundle) if own.is_relative_to(bundle) else None


def _give(own: Path, given: Path, shared: Path, format: str) -> None:
    given.parent.mkdir(parents=True, exist_ok=True)
    if own.is_dir():
        given.mkdir()
        for inner in own.rglob("*"):
            target = given / inner.relative_to(own)
            if inner.is_dir():
                target.mkdir(parents=True, exist_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                _copy(inner, target, shared)
        return
    for file in parts_of(own, format):
        _copy(file, given.parent / file.name, shared)


def _copy(source: Path, target: Path, shared: Path) -> None:
    """A small file is copied; a large one linked: to the bundle's own, or, on another disk, to one copy for all runtimes."""
    if target.exists():
        return
    if source.stat().st_size <= _SMALL_BYTES:
        shutil.copyfile(source, target)
        return
    try:
        os.link(source.resolve(), target)
    except OSError:
        common = shared / str(source.stat().st_ino)
        if not common.exists():
            shared.mkdir(exist_ok=True)
            shutil.copyfile(source, common)
        os.link(common, target)


def _state(path: Path) -> dict[Path, tuple[int, ...]]:
    return {inner: _status(inner) for inner in _all(path)}


def _all(path: Path) -> Iterator[Path]:
    yield path
    if path.is_dir():
        yield from path.rglob("*")


def _status(path: Path) -> tuple[int, ...]:
    try:
        found = path.lstat()
    except OSError:
        return ()
    return found.st_mode, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
