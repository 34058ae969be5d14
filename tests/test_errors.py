"""Errors: quoted text is escaped, so that a message stays one line and cannot control the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossload import CrossloadError, load
from crossload.contract import manifest
from crossload.errors import ArtifactError, EnvironmentProblem, FrameError, ManifestError, WorkerFailure
from crossload.verbs.verify.verify import verify
from tests import fakes

HOSTILE = "a\nb\x1b[31m\u202e"


@given(st.text())
def test_every_error_of_ours_has_a_message_of_one_printable_line(text: str) -> None:
    for kind in (CrossloadError, ArtifactError, ManifestError, FrameError, EnvironmentProblem):
        assert str(kind(text)).isprintable()
    assert str(WorkerFailure("crash", "run", text)).isprintable()


def test_control_characters_in_a_path_are_escaped() -> None:
    with pytest.raises(CrossloadError) as refusal:
        load(Path("/nowhere") / HOSTILE)
    assert str(refusal.value).isprintable()
    assert r"a\nb\x1b[31m\u202e" in str(refusal.value)


def test_control_characters_in_a_manifest_are_escaped(tmp_path: Path) -> None:
    for content in ({"crossload": 1, HOSTILE: 1}, {"crossload": HOSTILE}, {"crossload": 1, "artifacts": [{"id": HOSTILE}]}):
        with pytest.raises(ManifestError) as refusal:
            manifest.parse(json.dumps(content).encode(), tmp_path / "crossload.json")
        assert str(refusal.value).isprintable()


def test_control_characters_in_a_worker_s_error_are_escaped(tmp_path: Path, configure: object, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(rude="error:run")  # type: ignore[operator]
    monkeypatch.setenv("FAKE_ERROR", HOSTILE)
    report = verify(fakes.bundle(tmp_path / "b"), ["rude"])
    assert {r.outcome for r in report.results} == {"run_error"}
    assert all((r.error or "").isprintable() for r in report.results)
