"""Models that phones and microcontrollers run, the whole way: export, check, verify, compare, profile, in every interpreter of .tflite.

Their kinds: quantised convolutions, recurrence in loops and unrolled, attention, kept state, strings (tests/corpus/mobile_zoo.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import crossload
from crossload.contract.bundle import Bundle, open_bundle
from crossload.errors import ExportRefused
from crossload.inputs.requests import Requests
from crossload.report.results import Report
from crossload.runtimes import registry
from crossload.runtimes.supervisor import ModelSource, Supervisor
from crossload.verbs.verify.many import verify_many
from crossload.verbs.verify.plan import Plan
from tests import CORPUS
from tests.environment import launch_of, made_once

pytestmark = pytest.mark.slow
ZOO = CORPUS / "mobile_zoo.py"
# The formats of each model that are no plain .tflite, and the shape that its converter needs.
FORMATS = {
    "keyword_spotter": ("dynamic", "int8"),
    "stateful_lstm": (),
    "recurrent": ("dynamic",),
    "unrolled": ("int8",),
    "transformer": ("int8",),
    "intent": (),
}
SHAPES = {"recurrent": {"frames": (1, 12, 6)}}
RUNTIMES = (
    "litert", "litert+reference", "litert+builtin", "litert+xnnpack", "litert+threads4", "litert+compiled", "tflite-runtime",
    "tensorflow+lite@2.15.1", "tensorflow+lite", "tflite-micro", "tflite-java",
)  # fmt: skip
STATEFUL = ("litert", "litert+reference", "litert+compiled", "tflite-runtime", "tflite-micro", "tflite-java")


def waves(rows: int, *shape: int) -> np.ndarray:
    drawn = np.random.default_rng(7)
    at = np.arange(rows).reshape(rows, *[1] * len(shape))
    return np.sin(at * drawn.uniform(0.1, 1.5, (1, *shape)) + drawn.uniform(0, 6.3, (1, *shape))).astype(np.float32)


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bundle of each model, and frames.npz for the spotter."""

    def make(folder: Path) -> None:
        np.savez(folder / "frames.npz", frame=waves(64, 40))
        for name, variants in FORMATS.items():
            crossload.export(
                f"{ZOO}:{name}",
                folder / name,
                formats=["saved_model", "tflite", *(f"tflite:{v}" for v in variants)],
                requests=Requests(4, faults=0, shapes=SHAPES.get(name, {})),
                representative=folder / "frames.npz" if name == "keyword_spotter" else None,
            )

    return made_once(tmp_path_factory, "mobile_zoo", make)


@pytest.fixture(scope="session")
def verified(zoo: Path) -> Report:
    """All bundles in all interpreters, in one run."""
    return verify_many([str(zoo / name) for name in FORMATS], Plan("", RUNTIMES))


def outcomes(report: Report, model: Path) -> dict[tuple[str, str], set[str]]:
    """By artifact and runtime, the outcomes of a model's vectors."""
    found: dict[tuple[str, str], set[str]] = {}
    for result in report.results:
        path, _, artifact = result.case.artifact.partition(f"{model}:")
        if not path and artifact:
            found.setdefault((artifact, result.case.runtime), set()).add(result.outcome)
    return found


# Two interpreters answer wrongly, where all others agree: TensorFlow Lite Micro two loops in one model (each alone is right; it takes a
# slice's shape from the file), by 0.02 of 0.25, and TensorFlow 2.21's own interpreter attention in int8, by 15 steps.
WRONG = {("recurrent", "tflite", "tflite-micro"), ("transformer", "tflite:int8", "tensorflow+lite")}
# Variants without strings, or without the operators of lookup tables.
WITHOUT_TABLES = {"tflite-micro", "litert+reference", "litert+compiled"}
MICRO_LACKS = {"transformer": {"tflite-micro"}}  # REDUCE_PROD
# For want of a kernel, or of an operator's newer version.
UNSUPPORTED = {"tflite:dynamic": {"tflite-micro", "tflite-runtime", "tensorflow+lite@2.15.1"}}


@pytest.mark.parametrize("model", FORMATS)
def test_every_interpreter_agrees_or_is_unsupported_and_check_said_which(zoo: Path, verified: Report, model: str) -> None:
    found = outcomes(verified, zoo / model)
    artifacts = [a.id for a in open_bundle(zoo / model).manifest.artifacts if a.format == "tflite"]
    assert artifacts == ["tflite", *(f"tflite:{v}" for v in FORMATS[model])]
    assert set(found) == {(a, r) for a in artifacts for r in RUNTIMES}
    failed = {(model, *case) for case, seen in found.items() if seen - {"ok", "unsupported"}}
    assert failed == {case for case in WRONG if case[0] == model}, [
        r.error for r in verified.results if r.outcome not in ("ok", "unsupported", "not_run")
    ][:3]
    named = {r.title: registry.shortest_name(r) for r in registry.find(list(RUNTIMES))}
    for checked in crossload.check(zoo / model).artifacts:
        for prediction in checked.predictions:
            runtime = named.get(prediction.runtime, "")
            if seen := found.get((checked.id, runtime)):
                known = {"ok", "mismatch"} if (model, checked.id, runtime) in WRONG else {"ok"} if "ok" in seen else {"unsupported"}
                assert prediction.outcome in known, (checked.id, runtime, prediction.explanation())


@pytest.mark.parametrize("model", FORMATS)
def test_the_kernels_of_each_file_are_all_asked(zoo: Path, verified: Report, model: str) -> None:
    for (artifact, runtime), seen in outcomes(verified, zoo / model).items():
        without = UNSUPPORTED.get(artifact, set()) | (WITHOUT_TABLES if model == "intent" else MICRO_LACKS.get(model, set()))
        assert bool(seen & {"ok", "mismatch"}) == (runtime not in without), (artifact, runtime)


@pytest.mark.parametrize("model", [m for m, variants in FORMATS.items() if variants])
def test_each_variant_has_its_quality_and_int8_is_judged_in_few_steps(zoo: Path, model: str) -> None:
    manifest = open_bundle(zoo / model).manifest
    for artifact in (a for a in manifest.artifacts if ":" in a.id):
        (quality,) = artifact.quality
        assert quality.sqnr is not None
        assert quality.sqnr > 15, artifact.id
        assert quality.rows == {"keyword_spotter": 65, "stateful_lstm": 1, "unrolled": 1}.get(model, 32)
        (recorded,) = [v for v in manifest.vectors if v.reference.artifact == artifact.id]
        assert recorded.reference.environment["kernels"] == "reference"
        if artifact.id == "tflite:int8":
            assert [s.allowed for s in recorded.steps.values()] == [2], recorded.steps


def test_rows_are_one_sequence_for_a_model_that_keeps_state_and_for_its_variants(zoo: Path) -> None:
    """With state that is forgotten on one side the noise would be as large as the signal."""
    terms = crossload.QualityTerms(zoo / "frames.npz")
    found = crossload.compare_variants(zoo / "keyword_spotter", quality=terms, seconds=0.05)
    assert found.rows == 64
    assert found.exit_status == 0, [v.unmet for v in found.variants]
    by_id = {v.artifact: v for v in found.variants}
    assert by_id["saved_model"].quality[0].max_abs == 0
    assert (by_id["tflite"].quality[0].sqnr or 0) > 100
    assert (by_id["tflite:int8"].quality[0].sqnr or 0) > 25
    assert all(v.cost and v.cost.latency for v in found.variants)
    assert {v.artifact for v in found.variants if v.arena} == {"tflite", "tflite:int8"}
    assert by_id["tflite:int8"].size_bytes < by_id["tflite"].size_bytes


def test_recorded_batches_are_compared_with_a_file_that_was_written_for_one_row(zoo: Path) -> None:
    found = crossload.compare_variants(zoo / "recurrent", seconds=0.05)
    assert (found.rows, found.exit_status) == (32, 0)
    assert {v.artifact: v.kind for v in found.variants} == {"saved_model": "float", "tflite": "float", "tflite:dynamic": "dynamic"}


def test_profile_measures_the_spotter_on_a_microcontrollers_kernels_and_says_its_arena(zoo: Path) -> None:
    found = crossload.profile(zoo / "keyword_spotter", ["litert", "tflite-micro"], artifacts=["tflite:int8"], threads=[1], seconds=0.05)
    assert {(c.runtime.partition("@")[0], c.outcome) for c in found.costs} == {("litert", "ok"), ("tflite-micro", "ok")}
    (arena,) = [c.arena for c in found.costs if c.arena]
    assert 8_000 < arena < 32_000
    assert sum(layer.macs for layer in found.layers["tflite:int8"]) == 40 * 64 + 16 * 64 + 64 * 128 + 128 * 12


@contextmanager
def loaded(runtime: str) -> Iterator[Supervisor]:
    with Supervisor(runtime, launch_of(runtime)) as supervisor:
        yield supervisor


def source_of(bundle: Bundle) -> ModelSource:
    (artifact,) = [a for a in bundle.manifest.artifacts if a.id == "tflite"]
    return ModelSource(bundle.path(artifact), "tflite", artifact.bindings, signatures=bundle.manifest.signatures, keep_state=True)


@pytest.mark.parametrize("runtime", STATEFUL)
def test_state_depends_on_the_order_of_calls_ends_with_a_load_and_is_each_models_own(zoo: Path, runtime: str) -> None:
    """A variable that a loop's result is assigned to, and one that a window is shifted through."""
    models = [
        (open_bundle(zoo / "stateful_lstm"), "frames", "classes", waves(2, 4, 6)),
        (open_bundle(zoo / "keyword_spotter"), "frame", "words", waves(2, 40)),
    ]
    with loaded(runtime) as worker:

        def answers(model: int, order: list[int]) -> list[np.ndarray]:
            bundle, takes, gives, rows = models[model]
            worker.load(source_of(bundle))
            return [worker.infer("serving_default", {takes: rows[at : at + 1]}, [gives]).outputs[gives] for at in order]

        first = [answers(model, [0, 1, 0]) for model in (0, 1)]
        for model, (one, _, again) in enumerate(first):
            assert not np.array_equal(one, again), "the second call goes on where the first ended"
            assert not np.array_equal(answers(model, [1, 0])[1], one), "another order is another answer"
            assert all(np.array_equal(*pair) for pair in zip(answers(model, [0, 1, 0]), first[model], strict=True)), "a load begins anew"


def test_what_the_converter_cannot_hold_is_one_sentence(tmp_path: Path, zoo: Path) -> None:
    def refused(model: str, *formats: str, shapes: dict[str, tuple[int, ...]] | None = None) -> str:
        with pytest.raises(ExportRefused) as raised:
            crossload.export(f"{ZOO}:{model}", tmp_path / "b", formats=formats, requests=Requests(1, faults=0, shapes=shapes or {}))
        assert not (tmp_path / "b").exists()
        return str(raised.value)

    assert refused("sentence", "tflite").endswith("TFLite does not have its operations StringLower, StringSplitV2, RaggedTensorToTensor")
    assert refused("recurrent", "tflite").endswith("its open batch is the cause: with --shape frames=1,12,6 it converts")
    died = refused("recurrent", "tflite:int8", shapes=SHAPES["recurrent"])
    assert "the TensorFlow process died, converting to tflite:int8 (killed by SIGSEGV)" in died
    assert "unroll=True" in died
