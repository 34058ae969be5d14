"""The source of a conversion as it is converted: reference ops mended, signatures renamed, inputs pinned, in a copy that is edited."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from crossload import artifacts
from crossload.artifacts.content import in_list, in_words
from crossload.artifacts.entries import binding_of
from crossload.artifacts.graphs.graph import operation_of
from crossload.artifacts.select import choose, named_tensor
from crossload.artifacts.tflite.tflite_file import TFLite
from crossload.contract.manifest import Artifact
from crossload.contract.signatures import Signature
from crossload.edits import meta_graphs, pinning
from crossload.edits.repairs import artifact_files
from crossload.errors import CrossloadError
from crossload.inputs.requests import fit
from crossload.support.text import near

# Formats whose inputs are placeholders of a graph.
_PINNED = ("graph_def", "saved_model", "checkpoint", "meta_graph")

Chosen = tuple[Artifact, dict[str, Signature]]


@dataclass(frozen=True)
class Preparation:
    """What a user asks to be changed before the conversion: new names of signatures by old ones, values of pinned inputs by name."""

    renamed: Mapping[str, str]
    pinned: Mapping[str, np.ndarray]

    def apply(self, entry: Artifact, signatures: dict[str, Signature], room: Path, progress: Callable[[str], None]) -> Chosen:
        """The artifact and its signatures, changed below `room`; raises CrossloadError."""
        entry = mend(entry, room, progress)
        entry, signatures = pin(entry, signatures, self.pinned, room)
        return rename(entry, signatures, self.renamed, room)


def chosen(
    source: Path,
    tags: Sequence[str] | None,
    names: Sequence[str] | None,
    inputs: Sequence[str] | None,
    outputs: Sequence[str] | None,
    options: dict[str, Any],
) -> tuple[Artifact, dict[str, Signature], Preparation]:
    """`artifacts.select.choose`, with signatures added, dropped, renamed and pinned as asked; takes its own entries out of `options`."""
    drop, pinned, key = options.pop("drop_signatures", ()), options.pop("pinned", {}), options.pop("add_signature", None)
    if key is not None:
        if names or drop:
            raise CrossloadError("--add-signature keeps the file's signatures: leave out --signature and --drop-signature")
        entry, signatures = with_signature(source, key, inputs, outputs)
        return entry, signatures, Preparation({}, pinned_values(pinned, entry.format, signatures))
    renamed = dict[str, str]()
    if drop or any("=" in name for name in names or ()):
        names, renamed = names_of(names, drop, list(choose(source, tags, None, inputs, outputs)[0].bindings))
    entry, signatures = choose(source, tags, names, inputs, outputs)
    return entry, signatures, Preparation(renamed, pinned_values(pinned, entry.format, signatures))


def with_signature(source: Path, key: str, inputs: Sequence[str] | None, outputs: Sequence[str] | None) -> Chosen:
    """The .tflite with its own signatures and a new one, `key`, by tensors; raises CrossloadError.

    Without `inputs` and `outputs`, the new one has all inputs and outputs of the first subgraph.
    """
    found = artifacts.read(source)
    if not isinstance(found, TFLite):
        raise CrossloadError(
            f"--add-signature takes a .tflite, and {source} is {in_words(found.format)}; name tensors with --output-tensor"
        )
    if key in found.signatures:
        raise CrossloadError(f"{source} has a signature {key!r}; choose another name, or rename that one with --signature NEW={key}")
    entry, signatures = choose(source)
    bindings = entry.bindings if found.signatures else {}
    added = found.named(dict(map(named_tensor, inputs or ())), dict(map(named_tensor, outputs or ())))
    merged = {**{name: signatures[name] for name in bindings}, key: added}
    return entry.model_copy(update={"bindings": {**bindings, key: binding_of(added)}}), merged


def pinned_values(pinned: Mapping[str, Any], kind: str, signatures: Mapping[str, Signature]) -> dict[str, np.ndarray]:
    """The arrays of pinned inputs of an artifact of this format; a value may be a function of its TensorSpec. Raises CrossloadError."""
    specs = {t.name: t for s in signatures.values() for t in s.inputs}
    if unknown := next((n for n in pinned if n not in specs), None):
        raise CrossloadError(f"--pin {unknown}: there is no such input{near(unknown, specs)}; there are: {', '.join(specs) or 'none'}")
    if pinned and kind not in _PINNED:
        raise CrossloadError(
            f"--pin takes {in_list(_PINNED)}, and this is {in_words(kind)}, whose inputs are no placeholders of a graph{_cure(kind)}"
        )
    return {n: fit(specs[n], v(specs[n]) if callable(v) else np.asarray(v)) for n, v in pinned.items()}


def _cure(kind: str) -> str:
    """What to do for a format without placeholders."""
    return "" if kind == "tflite" else ": convert it to saved_model first"


def pin_in_place(path: Path, entries: Sequence[Artifact], values: Mapping[str, np.ndarray]) -> None:
    """Make these inputs constants in all entries of the artifact at `path`."""
    for entry in entries if values else ():
        by_operation = _by_operation(entry, values)
        if entry.format == "saved_model":
            pinning.saved_model(path, entry.tags or [], by_operation)
        elif entry.format == "graph_def":
            pinning.graph_def(path, path, by_operation)
        else:
            pinning.meta_graph(path if path.suffix == ".meta" else path.with_name(f"{path.name}.meta"), by_operation)


def _by_operation(entry: Artifact, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {operation_of(str(b.inputs[n])): v for b in entry.bindings.values() for n, v in values.items() if n in b.inputs}


def pin(entry: Artifact, signatures: dict[str, Signature], values: Mapping[str, np.ndarray], room: Path) -> Chosen:
    """The artifact with these inputs as constants, in a copy below `room`, and its signatures without them."""
    if not values:
        return entry, signatures
    target = room / "pinned" / Path(entry.path).name
    target.parent.mkdir()
    if entry.format == "saved_model":
        shutil.copytree(entry.path, target)
    elif entry.format == "graph_def":
        shutil.copyfile(entry.path, target)
    else:
        target = _beside(entry, target.parent)
    pin_in_place(target, [entry], values)
    bindings = {
        name: b.model_copy(update={"bridge": None, "inputs": {n: t for n, t in b.inputs.items() if n not in values}})
        for name, b in entry.bindings.items()
    }
    left = {name: replace(s, inputs=tuple(t for t in s.inputs if t.name not in values)) for name, s in signatures.items()}
    return entry.model_copy(update={"path": str(target), "bindings": bindings}), left


def _beside(entry: Artifact, folder: Path) -> Path:
    """Link the files of a checkpoint, or of a .meta with its checkpoint, into the folder; the path of the same there."""
    source = Path(entry.path)
    if entry.format == "checkpoint":
        source = artifacts.read(source).prefix  # type: ignore[union-attr]  # the entry says that it is a checkpoint
    for part in artifacts.parts_of(source, entry.format):
        (folder / part.name).symlink_to(part.resolve())
    return folder / source.name


def names_of(names: Sequence[str] | None, drop: Sequence[str], there: Sequence[str]) -> tuple[list[str] | None, dict[str, str]]:
    """The signatures to choose (None: all), and new names by old ones, from `NAME` and `NEW=OLD`. Raises CrossloadError."""
    taken, renamed = [], dict[str, str]()
    for text in names or ():
        new, equals, old = text.partition("=")
        if equals and text not in there:
            renamed[old] = new
        taken.append(old if equals and text not in there else text)
    if unknown := next((n for n in (*taken, *drop) if n not in there), None):
        raise CrossloadError(f"there is no signature {unknown!r}{near(unknown, there)}; there are: {', '.join(there) or 'none'}")
    kept = [n for n in (taken or there) if n not in drop]
    if drop and not kept:
        raise CrossloadError("--drop-signature leaves no signature; keep one")
    after = [renamed.get(n, n) for n in kept]
    if twice := next((n for n in after if after.count(n) > 1), None):
        raise CrossloadError(f"two signatures would be called {twice!r}; choose another name, or --drop-signature the other")
    return (kept if taken or drop else None), renamed


def rename(entry: Artifact, signatures: dict[str, Signature], renamed: Mapping[str, str], room: Path) -> Chosen:
    """The artifact with these signatures under new names; a SavedModel is copied below `room`, with new keys."""
    if not renamed:
        return entry, signatures
    bindings = {renamed.get(n, n): b for n, b in entry.bindings.items()}
    named = {renamed.get(n, n): s for n, s in signatures.items()}
    if entry.format != "saved_model":
        return entry.model_copy(update={"bindings": bindings}), named
    target = room / "renamed" / Path(entry.path).name
    keys = {str(b.key): name for name, b in bindings.items() if b.key}
    plain: dict[str, Any] = {name: b.model_dump() for name, b in bindings.items()}
    meta_graphs.of_saved_model(Path(entry.path), target, plain, {"tags": entry.tags, "renamed": keys})
    own = {name: b.model_copy(update={"key": name, "bridge": None}) for name, b in bindings.items()}
    return entry.model_copy(update={"path": str(target), "bindings": own}), named


def mend(entry: Artifact, room: Path, progress: Callable[[str], None]) -> Artifact:
    """The artifact to convert: a GraphDef with ops that take references, and get none, loads nowhere and is mended first."""
    if entry.format != "graph_def":
        return entry
    target = room / "mended" / Path(entry.path).name
    target.parent.mkdir()
    if not (changes := artifact_files.mend_references(Path(entry.path), target)):
        return entry
    progress(f"mended what freezing left, which no TensorFlow loads: {', '.join(changes)}")
    return entry.model_copy(update={"path": str(target)})
