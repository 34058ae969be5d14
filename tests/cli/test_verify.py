"""Verify's command line: the matrix is shown even if the report files cannot be written, and mistakes are one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from click.testing import CliRunner, Result

from crossload.cli import main
from tests import fakes

Configure = Callable[..., None]


def verify(bundle: Path, *more: str) -> Result:
    return CliRunner().invoke(main, ["verify", str(bundle), *more])


def test_the_report_files_agree_with_the_matrix(tmp_path: Path, configure: Configure) -> None:
    configure(honest="honest")
    done = verify(fakes.bundle(tmp_path / "b"), "-r", "honest", "--json", str(tmp_path / "r.json"), "--junit", str(tmp_path / "r.xml"))
    assert done.exit_code == 0
    assert "3 results: 3 ok" in done.output
    assert json.loads((tmp_path / "r.json").read_text())["summary"] == {"total": 3, "ok": 3}
    assert 'tests="3"' in (tmp_path / "r.xml").read_text()


def test_a_report_that_cannot_be_written_does_not_hide_what_was_found(tmp_path: Path, configure: Configure) -> None:
    configure(honest="honest")
    (tmp_path / "file").touch()
    done = verify(fakes.bundle(tmp_path / "b"), "-r", "honest", "--json", str(tmp_path / "file" / "r.json"))
    assert done.exit_code == 2
    assert "3 results: 3 ok" in done.output
    assert done.output.splitlines()[-1].startswith("crossload: ")


def test_a_named_runtime_without_a_case_ends_with_status_3(tmp_path: Path, configure: Configure) -> None:
    configure(honest="honest")
    done = verify(fakes.bundle(tmp_path / "b"), "-r", "honest,tensorflow")
    assert done.exit_code == 3
    assert "nothing was compared in tensorflow" in done.output


def test_options_for_bare_artifacts_are_refused_for_a_bundle(tmp_path: Path, configure: Configure) -> None:
    configure(honest="honest")
    done = verify(fakes.bundle(tmp_path / "b"), "-r", "honest", "--seed", "3")
    assert done.exit_code == 2
    assert "is a bundle with recorded answers" in done.output


def test_control_characters_in_a_manifest_are_escaped(tmp_path: Path, configure: Configure) -> None:
    configure(honest="honest")
    file = fakes.bundle(tmp_path / "b") / "crossload.json"
    file.write_text(file.read_text().replace('"model0"', '"[/]\\u001b[2J[bold]"'))
    done = verify(tmp_path / "b", "-r", "honest")
    assert done.exit_code == 0
    assert "[/]\\x1b[2J[bold]" in done.output
    assert "\x1b" not in done.output
