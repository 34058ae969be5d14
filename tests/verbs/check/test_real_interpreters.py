"""No wrong prediction for .tflite files: `check` says what each real interpreter does with every file of the corpus and more.

An answer that is nothing like that of LiteRT's reference kernels is a mismatch, which `check` predicts where it knows of it. A file that
makes an interpreter write outside of its tensors answers or kills it, as chance has it: there check predicts an answer, with a note that
the interpreter may die.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from crossload.artifacts.tflite import operator_names, tflite_file
from crossload.contract.manifest import Binding
from crossload.contract.signatures import Signature
from crossload.errors import WorkerFailure
from crossload.inputs.requests import Requests, complete, draw
from crossload.releases import tflite_extraction, tflite_kernels, tflite_probes
from crossload.releases.tflite_answers import Outputs, alike
from crossload.releases.tflite_kernels import interpreters
from crossload.runtimes import environments, registry
from crossload.runtimes.supervisor import Limits, ModelSource, Supervisor
from crossload.verbs.check.tflite_prediction import would_do
from tests import CORPUS
from tests.corpus.handmade import Lite, Tensor, signal_energy

pytestmark = pytest.mark.slow
MEASURED = [i.title for i in interpreters() if not i.between]
# Operators of one file each, in datatypes that interpreters treat differently.
ONE_OPERATOR = {
    "ADD": ("float32->float32", "int8q->int8q", "int64->int64", "uint32->uint32"),
    "BATCH_MATMUL": ("float32->float32", "int8q->int8q"),
    "CAST": ("float32->int32", "int32->float32", "float32->float16", "string->int32"),
    "CONV_2D": ("int8q int32q->int8q", "int16q int8q int64q->int16q", "float32 int8q float32->float32"),
    "CUMSUM": ("float32 int32->float32",),
    "EQUAL": ("string->bool", "uint8->bool"),
    "FULLY_CONNECTED": ("float32->float32", "int8q int32q->int8q", "int8q int4q int32q->int8q", "float32 int8q float32->float32"),
    "GATHER": ("float32 int32->float32", "string int32->string", "float32 int16->float32"),
    "GELU": ("float32->float32", "int8q->int8q", "int16q->int16q"),
    "L2_NORMALIZATION": ("float32->float32",),
    "MAX_POOL_2D": ("float32->float32", "uint8q->uint8q"),
    "MEAN": ("float32 int32->float32", "int64 int32->int64"),
    "POW": ("float32->float32", "int32->int32"),
    "RESIZE_BILINEAR": ("float32 int32->float32", "int8q int32->int8q"),
    "REVERSE_V2": ("float32 int32->float32", "bool int32->bool"),
    "SELECT_V2": ("bool float32->float32",),
    "SOFTMAX": ("float32->float32", "int8q->int8q"),
    "TOPK_V2": ("float32 int32->float32 int32",),
    "UNIQUE": ("float32->float32 int32",),
    "WHERE": ("bool->int64",),
}


@pytest.fixture(scope="module")
def files(corpus: Path, demo: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The .tflite files of the corpus and the demo, real ones that users brought, some of one operator, and some for one device."""
    made = tmp_path_factory.mktemp("lites")
    for op, key, content in tflite_extraction.kernel_files(operator_names.builtin_codes()):
        if key in ONE_OPERATOR.get(op, ()) or (not op and key not in tflite_kernels.TYPES):
            (made / f"{op}-{key.replace('->', '-').replace(' ', '_')}.tflite").write_bytes(content)
    (made / "edgetpu.tflite").write_bytes(Lite(operators=("edgetpu-custom-op",)).build())
    (made / "signal.tflite").write_bytes(signal_energy())
    newest = operator_names.builtin_codes()["STABLEHLO_COMPOSITE"]
    (made / "newest_operator.tflite").write_bytes(tflite_probes.registration(newest, 1))
    vectors = (Tensor("x"), Tensor("y"))
    (made / "two_operators.tflite").write_bytes(Lite(vectors, operators=(operator_names.builtin_codes()["ABS"], "my-op")).build())
    with zipfile.ZipFile(CORPUS / "lite_kinds.zip") as kinds:
        kinds.extractall(made)
    found = [*corpus.glob("*.tflite"), *CORPUS.rglob("*.tflite"), *demo.glob("*.tflite"), *made.iterdir()]
    assert len(found) >= 120
    return sorted(found, key=lambda p: p.name)


def outcomes(
    supervisor: Supervisor, path: Path, bindings: dict[str, Binding], signatures: dict[str, Signature]
) -> Iterator[tuple[str, str, str, Outputs]]:
    """What the interpreter does with each signature, its words, and its answer."""
    source = ModelSource(path, "tflite", bindings)
    try:
        try:
            supervisor.load(source)
        except WorkerFailure as failure:
            # A file can leave its interpreter's heap damaged, and a later one then dies of it, or hangs: HotSpot reports a fault inside
            # malloc by calling malloc (TensorFlow Lite on the JVM, 3 of 7 runs). A fresh worker tells what the file itself does.
            if failure.outcome not in ("crash", "timeout"):
                raise
            supervisor.load(source)
    except WorkerFailure as failure:
        yield from ((name, failure.outcome, failure.message, {}) for name in bindings)
        return
    for name, signature in signatures.items():
        inputs = complete(signature, draw(signature, Requests(count=1))[0].inputs)
        try:
            yield name, "ok", "", supervisor.infer(name, inputs, [t.name for t in signature.outputs]).outputs
        except WorkerFailure as failure:
            yield name, failure.outcome, failure.message, {}


@pytest.mark.parametrize("title", MEASURED)
def test_every_prediction_is_what_the_interpreter_does(files: list[Path], title: str) -> None:
    (runtime, reference), wrong = registry.find([title, "litert+reference"]), []
    with (
        Supervisor(runtime.name, environments.prepare(runtime.source), Limits()) as supervisor,
        Supervisor(reference.name, environments.prepare(reference.source), Limits()) as referring,
    ):
        for path in files:
            found = tflite_file.read(path)
            signatures = found.signatures or {"s": found.signature()}
            bindings = {
                name: Binding(
                    key=name if found.signatures else None,
                    inputs={t.name: t.tensor for t in s.inputs if t.tensor is not None},
                    outputs={t.name: t.tensor for t in s.outputs if t.tensor is not None},
                )
                for name, s in signatures.items()
            }
            (predicted,) = would_do(path, [title], bindings=bindings, found=found)
            stated = {name: (outcome, answer) for name, outcome, _, answer in outcomes(referring, path, bindings, signatures)}
            for name, did, words, answer in outcomes(supervisor, path, bindings, signatures):
                differs = did == "ok" and stated[name][0] == "ok" and not alike(answer, stated[name][1])
                outcome, said = ("mismatch", f"{answer} for {stated[name][1]}") if differs else (did, words)
                by_chance = any("may die" in n or "is chance" in n for n in predicted.notes)
                if predicted.signatures[name] != outcome and not (outcome in ("crash", "mismatch") and by_chance):
                    wrong.append(f"{path.name}/{name}: {predicted.signatures[name]} ({predicted.explanation()}), but {outcome}: {said}")
    assert not wrong, "\n".join(wrong)
