"""Bundles of .tflite files made by hand, for tests that start no runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from crossload.artifacts.entries import artifacts_of
from crossload.artifacts.tflite import tflite_file
from crossload.contract import vectors
from crossload.contract.manifest import FILE_NAME, Manifest, Model, Reference, Vectors
from crossload.edits.tflite_signatures import inject_signatures
from crossload.support import files
from crossload.verbs.export.export import export
from tests import CORPUS
from tests.corpus.handmade import Lite


def bundle(root: Path, lite: Lite, *recorded: vectors.Vector, name: str = "m") -> Path:
    """A bundle of this file and these vectors of its one signature."""
    root.mkdir(parents=True)
    path = root / "model.tflite"
    path.write_bytes(lite.build())
    entries, signatures = artifacts_of(path, path.name)
    ((key, _),) = signatures.items()
    at = vectors.path_of(key)
    vectors.write(root / at, key, list(recorded))
    reference = Reference(runtime="litert", version="2.3.0", artifact=entries[0].id)
    stored = Vectors(signature=key, path=at, count=len(recorded), sha256=files.sha256(root / at), seed=0, reference=reference)
    made = Manifest(model=Model(name=name, version="1"), signatures=signatures, artifacts=entries, vectors=[stored])
    files.write_text(root / FILE_NAME, made.to_json())
    return root


def vector(name: str, rows: int = 1, x: str = "x", y: str = "y") -> vectors.Vector:
    """A request of so many rows of four, and its answer."""
    return vectors.Vector(name, {x: np.ones((rows, 4), np.float32)}, {y: np.ones((rows, 2), np.float32)})


def counter(folder: Path, key: str, x: str, y: str) -> Path:
    """The bundle of a .tflite that counts its calls, with names of the caller's for its signature, its input and its output."""
    file = CORPUS / "binary" / "counter.tflite"
    own = next(iter(tflite_file.read(file).signatures.values()))
    ((taken,), (given,)) = own.inputs, own.outputs
    named = {key: {"inputs": {x: int(str(taken.tensor))}, "outputs": {y: int(str(given.tensor))}, "key": "serving_default"}}
    (folder / "1st.tflite").write_bytes(inject_signatures(file, named))
    return export(folder / "1st.tflite", folder / "counter-bundle").root
