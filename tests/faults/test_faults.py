"""Seeded faults are caught and their causes named; healthy copies of the same bundles pass. `make faults` runs the whole catalogue."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from crossload.runtimes.supervisor import Supervisor
from crossload.verbs.export.export import export
from crossload.verbs.verify.verify import verify
from tests import ROOT
from tests.environment import launch_of, made_once, with_tensorflow
from tests.faults import seeded
from tests.faults.catalogue import FAULTS, Fault

MODELS = ("digits", "mean_and_spread")
# Faults of one kind behave alike: a sample of each place, the same in every run.
SAMPLE = [
    f for where in dict.fromkeys(f.where for f in FAULTS) for f in random.Random(3).sample([f for f in FAULTS if f.where == where], 5)
]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the bundles of MODELS."""

    def make(folder: Path) -> None:
        (folder / "models").mkdir()
        with_tensorflow(ROOT / "tests/faults/models.py", folder / "models", *MODELS)
        for name in MODELS:
            export(folder / "models" / name, folder / name)

    return made_once(tmp_path_factory, "faults", make)


@pytest.fixture(scope="module")
def alive() -> Iterator[dict[str, Supervisor]]:
    """One worker a runtime for all faults."""
    workers = {name: Supervisor(name, launch_of(name)) for name in sorted({*seeded.RUNTIMES.values()})}
    yield workers
    for worker in workers.values():
        worker.close()


@pytest.mark.parametrize("fault", SAMPLE, ids=lambda f: f"{f.where}: {f.name}")
def test_a_seeded_fault_is_caught_and_named(fault: Fault, bundles: Path, alive: dict[str, Supervisor], tmp_path: Path) -> None:
    outcomes = [o for name in MODELS if (o := seeded.seed(fault, bundles / name, tmp_path, alive))]
    if not outcomes:
        pytest.skip("neither model has what this fault changes")
    assert {o.verdict for o in outcomes} <= {"caught", "unseen"}, outcomes
    assert not [o for o in outcomes if o.naming == "wrong"], outcomes
    assert [o for o in outcomes if o.naming == "right" or o.verdict == "unseen"], outcomes


@pytest.mark.parametrize("name", MODELS)
def test_the_same_bundle_without_a_fault_passes(name: str, bundles: Path, alive: dict[str, Supervisor]) -> None:
    report = verify(bundles / name, sorted(alive), alive=alive)
    assert report.exit_status == 0, report.first_failure
    assert not [r for r in report.results if r.cause]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity") or (os.cpu_count() or 1) < 2, reason="needs two cores to choose from, on Linux")
def test_five_runs_on_one_core_and_on_all_give_the_same_verdicts(bundles: Path, alive: dict[str, Supervisor]) -> None:
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})  # the workers inherit it
    try:
        confined = {name: Supervisor(name, launch_of(name)) for name in alive}
        for worker in confined.values():
            worker.identity()
    finally:
        os.sched_setaffinity(0, cores)
    try:
        verdicts = [
            {r.case: r.outcome for r in verify(bundles / "digits", sorted(alive), alive=workers).results}
            for workers in (confined, alive, confined, alive, confined)
        ]
    finally:
        for worker in confined.values():
            worker.close()
    assert set(verdicts[0].values()) == {"ok"}
    for one in verdicts:
        assert one == verdicts[0]
