"""Each stored file of the corpus gets the sentence that the table states from each verb (tests/corpus/verdicts.py)."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner

from crossload.cli import main
from crossload.runtimes.process import Launch
from crossload.runtimes.supervisor import Limits, Supervisor
from tests import CORPUS
from tests.corpus.verdicts import BESIDE, TYPED_IN, VERDICTS, Said, Verdict

_FOLDERS = ("binary", "brought")
_EACH = pytest.mark.parametrize("verdict", VERDICTS, ids=lambda v: v.path)


@pytest.fixture(autouse=True)
def _in_the_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CORPUS)


def ask(verb: str, path: str, *arguments: str) -> tuple[int, str]:
    """The exit status of a command, and all that it printed."""
    done = CliRunner().invoke(main, [verb, path, *arguments])
    return done.exit_code, done.output


def check_said(found: tuple[int, str], expected: Said) -> None:
    assert found[0] == expected.status and expected.words in found[1], found


def test_the_table_has_every_stored_file() -> None:
    rows = {CORPUS / v.path for v in VERDICTS}
    files = [f for folder in _FOLDERS for f in (CORPUS / folder).rglob("*") if f.is_file()]
    folders_of_saved_models = {f.parent for f in files if f.name == "saved_model.pb"}
    alone = [f for f in files if not folders_of_saved_models & set(f.parents) and not f.name.endswith(BESIDE) and f.name != "checkpoint"]
    metas = {row.with_name(f"{row.name}.meta") for row in rows} | {meta for row in rows if row.is_dir() for meta in row.glob("*.meta")}
    assert {*alone, *folders_of_saved_models} <= rows | metas
    assert not [row for row in rows if not row.exists() and not row.with_name(f"{row.name}.index").is_file()]


@_EACH
def test_show_says_what_it_must(verdict: Verdict) -> None:
    check_said(ask("show", verdict.path), verdict.show)


@_EACH
def test_check_says_what_it_must(verdict: Verdict) -> None:
    check_said(ask("check", verdict.path), verdict.check)


@pytest.fixture(scope="module")
def alive() -> Iterator[dict[str, Supervisor]]:
    """Workers by their runtime's name, which one `run` after the other uses."""
    with ExitStack() as stack:
        workers: dict[str, Supervisor] = {}
        stack.callback(lambda: [Supervisor.close(worker) for worker in workers.values()])
        yield workers


@pytest.fixture
def _reused(alive: dict[str, Supervisor], monkeypatch: pytest.MonkeyPatch) -> None:
    class Kept(Supervisor):
        def close(self) -> str | None:
            return None

    def worker(name: str, launch: Launch, limits: Limits | None = None) -> Supervisor:
        return alive.setdefault(name, Kept(name, launch, limits or Limits()))

    monkeypatch.setattr("crossload.model.Supervisor", worker)


@pytest.mark.slow
@pytest.mark.usefixtures("_reused")
@_EACH
def test_run_says_what_it_must(verdict: Verdict) -> None:
    check_said(ask("run", verdict.path, *verdict.run.arguments), verdict.run)


@pytest.mark.slow
def test_verify_says_what_it_must_of_all_files_in_one_run(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    asked = {v.path: v.verify for v in VERDICTS if v.verify}
    ask("verify", *asked, "--runtime", "tensorflow", "--runtime", "litert", "--json", str(file))
    report = json.loads(file.read_text(encoding="utf-8"))
    wrong = {}
    for path, (outcome, words) in asked.items():
        own = [r for r in report["results"] if r["artifact"] == path or r["artifact"].startswith(f"{path}:")]
        said = [r.get("error") or "" for r in own] + [c for c in report["cautions"] if path in c]
        if {r["outcome"] for r in own} != {outcome} or not any(words in one for one in said):
            wrong[path] = ({r["outcome"] for r in own}, said)
    assert not wrong


@pytest.mark.slow
@pytest.mark.usefixtures("_reused")
@pytest.mark.parametrize(("verb", "path", "arguments", "words"), TYPED_IN)
def test_a_printed_command_works_when_it_is_typed_in(tmp_path: Path, verb: str, path: str, arguments: str, words: str) -> None:
    target = [str(tmp_path / "made")] if verb == "convert" else []
    check_said(ask(verb, path, *target, *shlex.split(arguments)), Said(0, words))
