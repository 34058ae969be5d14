"""A bundle with hostile names for generated Java sources; its graph is empty, because no test loads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from crossload.contract import datatypes, vectors
from crossload.contract.manifest import Artifact, Binding, Manifest, Model, Reference, Vectors
from crossload.contract.signatures import Signature, TensorSpec
from crossload.support import files

SIGNATURES = {
    "serving_default": Signature(
        (
            TensorSpec("class", "FP32", (-1,)),
            TensorSpec("1st", "INT64", ()),
            TensorSpec("1-st", "BYTES", (-1,)),
            TensorSpec("größe", "BOOL", (2, 2)),
            TensorSpec("raw", "BYTES", (-1,)),
            TensorSpec("threshold", "FP32", (), default={"shape": [], "data": [0.5]}),
            TensorSpec("free", "FP32", (-1, -1)),
            TensorSpec("image", "UINT8", (-1, 4, 4, 3)),
        ),
        (
            TensorSpec("*/ evil \\u002a @x <b>", "FP32", (-1, 10)),
            TensorSpec('"); System.exit(1); ("', "FP32", ()),
            TensorSpec("half", "FP16", (-1,)),
            TensorSpec("steps", "INT8", (-1, 4)),
        ),
    ),
    "a signature's name of many words that nobody wants to see": Signature(
        tuple(TensorSpec(f"a_rather_long_input_name_number_{n}", "FP32", (-1, 3)) for n in range(6)),
        tuple(TensorSpec(f"a_rather_long_output_name_number_{n}", "FP32", (-1, 3)) for n in range(6)),
    ),
    "three": Signature(
        tuple(TensorSpec(f"medium_name_{n}", "FP32", (-1, 3)) for n in range(4)),
        tuple(TensorSpec(f"medium_output_{n}", "FP32", (-1, 3)) for n in range(3)),
    ),
    "rows": Signature(
        (
            TensorSpec("input_ids", "INT32", (-1, -1)),
            TensorSpec("all_values", "INT64", (-1, -1)),
            TensorSpec("words", "BYTES", (-1, -1)),
            TensorSpec("raw", "BYTES", (-1, -1)),
            TensorSpec("unsigned", "UINT8", (-1, -1)),
            TensorSpec("signed", "INT8", (-1, -1)),
            TensorSpec("weights", "FP64", (-1, -1), default={"shape": [1, 1], "data": [1.0]}),
            TensorSpec("label", "BYTES", ()),
        ),
        (TensorSpec("hidden", "FP32", (-1, -1, 768)), TensorSpec("label", "BYTES", ()), TensorSpec("that", "INT64", None)),
    ),
    "nothing": Signature((), (TensorSpec("x", "INT32", None),)),
    "only-optional": Signature((TensorSpec("x", "INT32", (2,), default={"shape": [2], "data": [1, 2]}),), (TensorSpec("y", "FP64", (5,)),)),
}


def write(root: Path) -> Path:
    """Write the bundle."""
    root.mkdir(parents=True)
    (root / "frozen_graph.pb").write_bytes(b"")
    entries = []
    for key, signature in SIGNATURES.items():
        path = vectors.path_of(key)
        inputs, outputs = ({t.name: _array(t) for t in side} for side in (signature.inputs, signature.outputs))
        vectors.write(root / path, key, [vectors.Vector("single_0", inputs, outputs)])
        reference = Reference(runtime="tensorflow", version="2.21.0", artifact="graph_def")
        entries.append(Vectors(signature=key, path=path, count=1, sha256=files.sha256(root / path), seed=0, reference=reference))
    bindings = {key: Binding(inputs=_tensors("i", s.inputs), outputs=_tensors("o", s.outputs)) for key, s in SIGNATURES.items()}
    sha256 = files.sha256(root / "frozen_graph.pb")
    artifact = Artifact(id="graph_def", format="graph_def", path="frozen_graph.pb", sha256=sha256, bindings=bindings)
    model = Model(name="1 evil --> `model` */", version="2 <b>")
    manifest = Manifest(model=model, producer={"tensorflow": "2.21.0"}, signatures=SIGNATURES, artifacts=[artifact], vectors=entries)
    files.write_text(root / "crossload.json", manifest.to_json())
    return root


def _tensors(prefix: str, specs: tuple[TensorSpec, ...]) -> dict[str, str | int]:
    return {spec.name: f"{prefix}{at}:0" for at, spec in enumerate(specs)}


def _array(spec: TensorSpec) -> np.ndarray:
    shape = tuple(2 if d == -1 else d for d in spec.shape or ())
    if spec.datatype != "BYTES":
        return np.zeros(shape, datatypes.numpy_dtype(spec.datatype))
    array = np.empty(shape, object)
    array[...] = b"\xff\x00" if spec.name == "raw" else "käse".encode()
    return array
