"""A plan and its command line are equivalent for every option; a report alone is enough to repeat its failures."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from crossload import CrossloadError, Limits, Plan, Report, Requests, Tolerance
from crossload.cli.verify import command, to_plan
from crossload.contract.outcomes import AGREEMENTS
from tests import fakes

Configure = Callable[..., None]

_names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
_chosen = st.none() | st.lists(_names, min_size=1, max_size=3).map(tuple)
_runtimes = st.none() | st.lists(st.from_regex(r"[a-z][a-z0-9-]{0,9}(@[0-9.]{1,6})?", fullmatch=True), min_size=1, max_size=3).map(tuple)
_numbers = st.floats(0, 1e6, allow_nan=False)
_tolerances = st.builds(Tolerance, rtol=_numbers, atol=_numbers, ulp=st.integers(0, 99))
_seconds = st.floats(1e-3, 1e6, allow_nan=False)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    return Plan(
        path=draw(
            st.from_regex(r"[a-z./-][a-z0-9 ./'$-]{0,12}", fullmatch=True).filter(lambda p: not p.startswith("-") and p == str(Path(p)))
        ),
        runtimes=draw(_runtimes),
        artifacts=draw(_chosen),
        signatures=draw(_chosen),
        vectors=draw(_chosen),
        requests=Requests(
            draw(st.integers(1, 1000)),
            draw(st.integers(0, 1 << 40)),
            draw(st.dictionaries(_names.filter(str.strip), st.lists(st.integers(-1, 9), max_size=4).map(tuple), max_size=2)),
        ),
        tolerance=draw(
            st.dictionaries(
                st.sampled_from(["FP32", "BF16", "scores", "a:b", "x=y"]),
                _tolerances,
            )
        ),
        agreement=draw(st.sampled_from([a for a in AGREEMENTS if a != "different"])),
        nan=draw(st.sampled_from(["same", "forbid"])),
        limits=Limits(draw(_seconds), draw(_seconds), draw(_seconds), draw(st.none() | st.integers(1, 1 << 40))),
        load_options=draw(st.sampled_from([{}, {"loader": "session"}, {"allow_code": True}, {"loader": "keras", "allow_code": True}])),
        fresh=draw(st.integers(0, 1000)),
        accept_unproved=draw(st.booleans()),
        devices=draw(
            st.lists(
                st.from_regex(r"[a-z][a-z0-9 '$/-]{0,8}[a-z].json", fullmatch=True).filter(lambda p: p == str(Path(p))), max_size=2
            ).map(tuple)
        ),
    )


@given(plans())
def test_the_command_line_of_a_plan_means_the_same_plan(plan: Plan) -> None:
    assert to_plan(plan.to_arguments()) == plan


def test_files_and_the_configuration_are_in_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, classes, configuration = tmp_path / "own inputs.npz", tmp_path / "classes.py", tmp_path / "it's.toml"
    libraries = [tmp_path / "a.so", tmp_path / "b.so"]
    np.savez(own, x=np.zeros(3, np.float32))
    for file in (classes, *libraries):
        file.touch()
    configuration.touch()
    monkeypatch.setenv("CROSSLOAD_CONFIG", str(configuration))
    plan = Plan(
        "model.keras",
        requests=Requests(inputs=(own,)),
        load_options={"custom_objects": str(classes), "op_libraries": [str(library) for library in libraries]},
        configuration=str(configuration),
    )
    assert to_plan(plan.to_arguments()) == plan
    environment, *words = shlex.split(plan.to_command())
    assert environment == f"CROSSLOAD_CONFIG={configuration}"
    assert words == ["crossload", "verify", *plan.to_arguments()]


def test_every_field_of_a_plan_but_the_rerun_s_cases_changes_the_command() -> None:
    changed = {
        "path": "other",
        "runtimes": ("litert",),
        "artifacts": ("a",),
        "signatures": ("s",),
        "vectors": ("v",),
        "requests": Requests(count=2),
        "tolerance": {"FP32": Tolerance(rtol=1)},
        "agreement": "ulp",
        "nan": "forbid",
        "limits": Limits(run=1),
        "load_options": {"loader": "keras"},
        "configuration": "file.toml",
        "fresh": 3,
        "wall": "bubblewrap",
        "accept_unproved": True,
        "devices": ("device.json",),
    }
    plan = Plan("bundle")
    assert {f.name for f in fields(Plan)} == {*changed, "only"}
    for name, value in changed.items():
        assert replace(plan, **{name: value}).to_command() != plan.to_command(), name  # type: ignore[arg-type]


def test_a_rerun_asks_only_for_what_failed(tmp_path: Path, configure: Configure) -> None:
    state, file, again = tmp_path / "state", tmp_path / "report.json", tmp_path / "again.json"
    configure(honest="honest", once="wrong-value:run", state=state)
    bundle = fakes.bundle(tmp_path / "b")
    first = CliRunner().invoke(command, [str(bundle), "--runtime", "honest,once", "--json", str(file)])
    assert first.exit_code == 1, first.output
    second = CliRunner().invoke(command, ["--from", str(file), "--json", str(again)])
    assert second.exit_code == 0, second.output
    results = json.loads(again.read_text())["results"]
    assert [(r["runtime"], r["vector"], r["outcome"]) for r in results] == [("once", "v0", "ok")]
    merged = Report.merged([Report.read(file), Report.read(again)])
    assert merged.exit_status == 0
    assert len(merged.results) == 6


def test_a_rerun_of_nothing_and_options_beside_it_are_refused(tmp_path: Path, configure: Configure) -> None:
    configure(honest="honest")
    bundle, file = fakes.bundle(tmp_path / "b"), tmp_path / "report.json"
    assert CliRunner().invoke(command, [str(bundle), "--runtime", "honest", "--json", str(file)]).exit_code == 0
    with pytest.raises(CrossloadError, match="nothing failed in"):
        command.main(["--from", str(file)], standalone_mode=False)
    with pytest.raises(CrossloadError, match="leave out the path and every option but"):
        command.main(["--from", str(file), "--agreement", "ulp"], standalone_mode=False)
    with pytest.raises(CrossloadError, match="name a bundle or an artifact"):
        command.main([], standalone_mode=False)
