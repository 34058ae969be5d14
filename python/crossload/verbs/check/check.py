"""The predictions for an artifact or every artifact of a bundle, and which releases would run it: the content of `crossload check`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from crossload import artifacts
from crossload.artifacts.entries import artifacts_of
from crossload.contract.bundle import is_bundle, open_bundle
from crossload.contract.manifest import Artifact
from crossload.errors import CrossloadError
from crossload.releases.registrations import Release
from crossload.releases.tflite_kernels import Interpreter, interpreters
from crossload.support.text import is_pattern
from crossload.verbs.check import tflite_prediction
from crossload.verbs.check.prediction import PREDICTED, Prediction, known, release_of, would_do

# What `check` covers, in words.
COVERED = "SavedModels, GraphDefs, .meta files, checkpoints and .tflite files"
Named = Release | Interpreter


@dataclass(frozen=True)
class Checked:
    """One artifact: the requested predictions, and the titles of all releases that would run it."""

    id: str
    format: str
    predictions: list[Prediction]
    would_do: list[str]

    def to_json(self) -> dict[str, Any]:
        """An element of `artifacts` in `check --json`."""
        return {
            "artifact": self.id,
            "format": self.format,
            "predictions": [p.to_json() for p in self.predictions],
            "would_do": self.would_do,
        }


@dataclass(frozen=True)
class Check:
    """All checked artifacts; `by_name`: releases were named; `left_out`: artifacts that cannot be checked, with the reason."""

    path: str
    artifacts: list[Checked]
    left_out: list[str]
    by_name: bool

    @property
    def exit_status(self) -> int:
        """0 if each artifact is predicted ok in every named release (without names: in any release), else 1."""
        outcomes = [[p.outcome == "ok" for p in entry.predictions] for entry in self.artifacts]
        return 0 if all(all(row) if self.by_name else any(row) for row in outcomes) else 1

    def to_json(self) -> dict[str, Any]:
        """The object of `check --json`."""
        return {"path": self.path, "artifacts": [a.to_json() for a in self.artifacts], "left_out": self.left_out}


def check(
    path: str | Path, runtimes: Sequence[str] | None = None, *, tags: Sequence[str] | None = None, artifact: str | None = None
) -> Check:
    """Predict what releases of TensorFlow and of TFLite's interpreters do with an artifact, or with a bundle's artifacts.

    Nothing is loaded. `runtimes` are names or patterns of releases, by default all known ones that take the artifact's format. Raises
    CrossloadError for unknown names, missing artifacts and tags, and if nothing can be checked.
    """
    names = tuple(runtimes or ())
    found = checked(Path(path), names, releases_of(names), tags, artifact)
    if not found.artifacts:
        raise CrossloadError(f"{path}: nothing to check ({'; '.join(found.left_out)})")
    return found


def checked(
    path: Path, names: Sequence[str], chosen: list[Named] | None, tags: Sequence[str] | None = None, artifact: str | None = None
) -> Check:
    """`check` with the releases of `names` (releases_of), without any artifact where the path has only formats that cannot be checked."""
    if is_bundle(path):
        bundle = open_bundle(path)
        entries = [(bundle.path(a), a) for a in bundle.manifest.artifacts]
        found = None
    else:
        found = artifacts.read(path)
        entries = [(path, a) for a in artifacts_of(path, path.name, tags, unnamed=True, found=found)[0]]
    wanted = [(p, a) for p, a in entries if _wanted(a, tags, artifact)]
    if not wanted:
        there = ", ".join(f"{a.id}{' with the tags ' + ', '.join(a.tags) if a.tags else ''}" for _, a in entries)
        raise CrossloadError(f"{path} has no such artifact; it has: {there}")
    reasons = [(p, a, _reason(a, chosen)) for p, a in wanted]
    left_out = [f"{a.id}{'' if a.id == a.format else f' ({a.format})'}: {reason}" for _, a, reason in reasons if reason]
    entries_checked = [_checked(p, a, chosen, found) for p, a, reason in reasons if not reason]
    return Check(str(path), entries_checked, left_out, bool(names))


def _reason(entry: Artifact, chosen: list[Named] | None) -> str:
    """Why an artifact is not checked; empty if it is."""
    if entry.format not in (*PREDICTED, "tflite"):
        return f"check covers only {COVERED}; `crossload verify` runs others"
    if chosen is not None and not any(isinstance(c, Interpreter) == (entry.format == "tflite") for c in chosen):
        return f"none of the named releases takes a {entry.format}; without --runtime, all that do are asked"
    return ""


def _checked(path: Path, entry: Artifact, chosen: list[Named] | None, found: Any) -> Checked:
    if entry.format == "tflite":
        every = tflite_prediction.would_do(path, bindings=entry.bindings, found=found)
        titles = None if chosen is None else [i.title for i in chosen if isinstance(i, Interpreter)]
        asked = [p for p in every if titles is None or p.runtime in titles]
        return Checked(entry.id, entry.format, asked, [p.runtime for p in every if p.outcome == "ok"])
    every = would_do(path, tags=entry.tags, bindings=entry.bindings, found=found)
    asked = every
    if chosen is not None:
        releases = [r.title for r in chosen if isinstance(r, Release)]
        asked = would_do(path, releases, tags=entry.tags, bindings=entry.bindings, found=found)
    return Checked(entry.id, entry.format, asked, [p.runtime for p in every if p.outcome == "ok"])


def _wanted(entry: Artifact, tags: Sequence[str] | None, artifact: str | None) -> bool:
    return (artifact is None or entry.id == artifact) and (tags is None or entry.tags is None or set(entry.tags) == set(tags))


def releases_of(names: Sequence[str]) -> list[Named] | None:
    """The releases and interpreters that names and patterns mean; None without names. Raises CrossloadError for one that means none."""
    if not names:
        return None
    every: list[Named] = [*known(), *interpreters()]
    found: list[Named] = []
    for name in names:
        matching = [r for r in every if fnmatchcase(r.title, name)] if is_pattern(name) else _named(name)
        if not matching:
            raise CrossloadError(f"check knows no release {name!r}; it knows: {', '.join(r.title for r in every)}")
        found += matching
    return list({r.title: r for r in found}.values())


def _named(name: str) -> list[Named]:
    found: list[Named] = []
    for of in (release_of, tflite_prediction.interpreter_of):
        with suppress(CrossloadError):
            found.append(of(name))
    return found
