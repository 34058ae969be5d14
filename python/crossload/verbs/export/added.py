"""Adds a finished .tflite, such as the one a phone already runs, to a bundle, whose recorded answers it is then judged by."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from crossload import artifacts
from crossload.artifacts.content import in_words
from crossload.artifacts.tflite.matching import Match, Side, match
from crossload.contract.bundle import Bundle, is_bundle, open_bundle
from crossload.contract.manifest import FILE_NAME, Artifact
from crossload.errors import CrossloadError
from crossload.support import files
from crossload.verbs import destinations
from crossload.verbs.destinations import only_writer


def add(
    source: str | Path,
    file: str | Path,
    destination: str | Path,
    *,
    signature: str | None = None,
    inputs: Mapping[str, str] | None = None,
    outputs: Mapping[str, str] | None = None,
    overwrite: bool = False,
) -> tuple[Bundle, Artifact, list[Match]]:
    """Write the bundle `source` with the .tflite `file` as one more artifact to `destination`; nothing is converted or run.

    The file is bound to `signature`, by default the bundle's only one; `inputs` and `outputs` are tensors by the signature's names, for
    names that the file does not tell apart. Returns the bundle, the new entry, and how each name was bound. Raises CrossloadError.
    """
    source, file, destination = Path(source), Path(file), Path(destination)
    if not is_bundle(source):
        raise CrossloadError(f"{source} is not a bundle; write one with `crossload export MODEL -o BUNDLE`, and add {file} to that")
    bundle = open_bundle(source)
    found = artifacts.read(file)
    if found.format != "tflite":
        raise CrossloadError(f"--add takes a .tflite, and {file} is {in_words(found.format)}; export a bundle of its own")
    names = list(bundle.manifest.signatures)
    if signature is None and len(names) > 1:
        raise CrossloadError(f"{source} has several signatures; name the one of {file} with --signature: {', '.join(names)}")
    name = signature or names[0]
    if name not in bundle.manifest.signatures:
        raise CrossloadError(f"{source} has no signature {name!r}; it has: {', '.join(names)}")
    chosen: dict[Side, Mapping[str, str]] = {"input": inputs or {}, "output": outputs or {}}
    binding, matches = match(found, name, bundle.manifest.signatures[name], chosen)
    entry = _entry(bundle, file, name)
    entry.bindings = {name: binding}
    with only_writer(destination, "export"):
        destinations.check(destination, "bundle", is_bundle, overwrite=overwrite, source=source, itself=True)
        with files.folder_written_whole(destination) as folder:
            shutil.copytree(source, folder, dirs_exist_ok=True)
            shutil.copyfile(file, folder / entry.path)
            manifest = replace(bundle.manifest, artifacts=[*bundle.manifest.artifacts, entry])
            files.write_text(folder / FILE_NAME, manifest.to_json())
    return Bundle(destination, manifest), entry, matches


def _entry(bundle: Bundle, file: Path, name: str) -> Artifact:
    """A new entry with an id and a path that no other has."""
    ids, paths = {a.id for a in bundle.manifest.artifacts}, {a.path for a in bundle.manifest.artifacts}
    stem = file.stem or "added"
    made = next(i for i in (stem, *(f"{stem}-{n}" for n in range(2, len(ids) + 3))) if i not in ids and f"{i}.tflite" not in paths)
    return Artifact(id=made, format="tflite", path=f"{made}.tflite", sha256=files.sha256(file))
