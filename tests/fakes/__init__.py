"""Workers that give wrong answers, crash, hang and answer late, and a bundle to test them with."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from crossload.contract import vectors
from crossload.contract.manifest import FILE_NAME, Artifact, Binding, Manifest, Model, Reference, Vectors
from crossload.contract.signatures import Signature, TensorSpec
from crossload.runtimes.process import Launch
from crossload.support import files

WORKER = Path(__file__).parent / "worker.py"


def launch(behaviour: str = "honest", state: Path | None = None, **environment: str) -> Launch:
    """The command that starts a fake."""
    return Launch((sys.executable, str(WORKER), behaviour, *([str(state)] if state else [])), environment)


def bundle(root: Path, *, artifacts: int = 1, count: int = 3, constant: bool = False) -> Path:
    """A bundle whose model doubles `x` into `y`; the artifacts are files that only a fake accepts as .tflite."""
    root.mkdir(parents=True, exist_ok=True)
    spec = {"datatype": "FP32", "shape": (-1,)}
    signature = Signature((TensorSpec("x", **spec),), (TensorSpec("y", **spec),), "predict")
    entries = []
    for at in range(artifacts):
        path = root / f"model{at}.tflite"
        path.write_bytes(b"fake %d" % at)
        binding = Binding(key="double", inputs={"x": 0}, outputs={"y": 1})
        entries.append(Artifact(id=f"model{at}", format="tflite", path=path.name, sha256=files.sha256(path), bindings={"double": binding}))
    made = []
    for at in range(count):
        x = np.ones(3, np.float32) if constant else np.arange(1, 4, dtype=np.float32) * (at + 1)
        made.append(vectors.Vector(f"v{at}", {"x": x}, {"y": 2 * x}))
    file = root / vectors.path_of("double")
    vectors.write(file, "double", made)
    reference = Reference(runtime="by hand", version="1", artifact="model0")
    recorded = Vectors(
        signature="double", path=vectors.path_of("double"), count=count, sha256=files.sha256(file), seed=0, reference=reference
    )
    manifest = Manifest(model=Model(name="double"), signatures={"double": signature}, artifacts=entries, vectors=[recorded])
    (root / FILE_NAME).write_text(manifest.to_json(), encoding="utf-8")
    return root
