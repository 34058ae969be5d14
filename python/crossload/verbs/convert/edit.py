"""Edits of a .tflite that a conversion is asked for: checked before anything is written, planned, and proved by the right answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from crossload import artifacts
from crossload.artifacts.content import in_words
from crossload.artifacts.tflite import tflite_file
from crossload.contract.manifest import Artifact
from crossload.contract.signatures import Signature
from crossload.edits.tflite_edits import WRITING
from crossload.errors import CrossloadError
from crossload.inputs.requests import check_requests
from crossload.support import files
from crossload.support.text import near
from crossload.verbs.convert import resize
from crossload.verbs.convert.cut import Cut
from crossload.verbs.convert.resize import Resized
from crossload.verbs.verify.prove import Recorded, Terms

# Options that edit a .tflite and that no other format has.
_OPTIONS = ("strip", "strip_names", "set_metadata", "drop_metadata", "description")
# Options of TFLite's converter, which an edit does not run.
_CONVERTERS = ("quantize", "optimize", "inference_type", "representative", "per_tensor", "keep_float", "allow_flex", "allow_custom_ops")
# A flatbuffer has at most 2 GB, the model included.
_MOST_METADATA = 1 << 30


@dataclass(frozen=True)
class Plan:
    """How the source is asked (`terms`, `asked`: its signatures), and what its answers say of the edited file.

    Without an edit, both are the conversion's own.
    """

    terms: Terms
    asked: dict[str, Signature]
    cut: Cut
    resized: Resized

    def of_answers(self, source: Recorded, made: Artifact) -> Recorded:
        """The requests and answers of the edited file."""
        return self.cut.of_answers(self.resized.of_answers(source), made)

    def signatures(self, asked: Mapping[str, Signature]) -> dict[str, Signature]:
        """The signatures of the edited file."""
        return self.cut.signatures(self.resized.signatures(asked))


def planned(source: Path, cut: Cut, entry: Artifact, signatures: dict[str, Signature], target: str, terms: Terms) -> Plan:
    """The edits that `terms.options` ask for; the plan's terms have those of the edge. Raises CrossloadError."""
    check(source, entry.format, target, terms.options)
    resized = resize.planned(source, entry, signatures, target, terms)
    options = {**cut.options(entry, terms.options), **resized.options}
    asked = signatures if resized.batches else resized.signatures(signatures)
    asking = replace(resized.terms(terms), options=options)
    if resized.shapes:
        check_requests(asking.requests, asked)
    return Plan(asking, asked, cut, resized)


def check(source: Path, kind: str, target: str, options: Mapping[str, Any]) -> None:
    """Raise CrossloadError for edits of another format, of metadata that is not there, and for files that cannot be metadata."""
    if kind == target == "tflite" and (of := next((n for n in _CONVERTERS if options.get(n)), None)):
        raise CrossloadError(
            f"--{of.replace('_', '-')} is for what makes a .tflite, and {source} is one already: convert the model it was made from"
        )
    asked = [name for name in _OPTIONS if options.get(name) is not None]
    if not asked:
        return
    if kind != "tflite" or target != "tflite":
        raise CrossloadError(
            f"--{asked[0].replace('_', '-')} edits a .tflite, and this goes from {in_words(kind)} to {in_words(target)}: "
            "convert to a .tflite first, then edit that"
        )
    found = artifacts.read(source)
    there = [m.name for m in found.metadata]  # type: ignore[union-attr]  # a .tflite
    for name in options.get("drop_metadata", ()):
        if name not in there:
            listed = ", ".join(map(repr, there)) or "none"
            raise CrossloadError(f"--drop-metadata {name}: {source} has no such metadata{near(name, there)}; it has: {listed}")
    total = 0
    for name, text in options.get("set_metadata", {}).items():
        file = Path(text)
        if not file.is_file():
            raise CrossloadError(f"--set-metadata {name}={file}: there is no such file; check its path")
        total += file.stat().st_size
        if total > _MOST_METADATA:
            raise CrossloadError(
                f"--set-metadata {name}={file}: metadata of {total:,} bytes, but a .tflite holds 2 GB in all, and 1 GB of metadata "
                "is the most that crossload takes: ship the file beside the model"
            )


def say_what_is_left(source: Path, made: Artifact, kind: str, options: Mapping[str, Any], progress: Callable[[str], None]) -> None:
    """Say in a line what an edit left of a .tflite that was written anew; nothing of any other conversion."""
    if kind != "tflite" or made.format != "tflite" or not any(options.get(name) is not None for name in WRITING):
        return
    before, after = (tflite_file.read(path, ops=False) for path in (source, Path(made.path)))
    counts = [
        (sum(s.operators for s in f.subgraphs), sum(s.tensors for s in f.subgraphs), files.size_bytes(f.path)) for f in (before, after)
    ]
    left = ", ".join(f"{now:,} of {was:,} {what}" for was, now, what in zip(*counts, ("operators", "tensors", "bytes"), strict=True))
    gone = [m.name for m in before.metadata if m.name not in {m.name for m in after.metadata}]
    progress(f"left: {left}" + (f"; without the metadata {', '.join(map(repr, gone))}" if gone else ""))
