"""`crossload verify` of many files: which files the words mean, the journal that a crash leaves, progress."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from crossload.errors import CrossloadError
from crossload.support.text import is_pattern

if TYPE_CHECKING:
    from crossload.report.results import Report
    from crossload.verbs.verify.plan import Plan


def means_many(paths: Sequence[Path]) -> bool:
    """Whether the paths mean more than one artifact or bundle."""
    from crossload.verbs.verify.many import is_one

    if len(paths) != 1:
        return len(paths) > 1
    word = str(paths[0])
    return word == "-" or (is_pattern(word) and not paths[0].exists()) or not is_one(paths[0])


def verify(paths: Sequence[Path], plan: Plan, jobs: int, resume: Path | None, json_file: Path | None, verbose: bool) -> Report:
    """Verify all files that the paths mean, with a line of progress for each; with `json_file`, a journal is beside it until the end."""
    from rich.console import Console

    from crossload.report import matrix
    from crossload.verbs.verify import many

    words = [w for p in paths for w in (sys.stdin.read().splitlines() if str(p) == "-" else [str(p)]) if w]
    if not words:
        raise CrossloadError("name files, folders or patterns, or give a list of files on standard input: crossload verify -")
    files = many.expanded(words)
    written = json_file or resume
    earlier = _earlier(resume) if resume else None
    left = len(many.unsettled(files, earlier))
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    counted = 0

    def on_file(report: Report) -> None:
        nonlocal counted
        counted += 1
        if written:
            with journal_of(written).open("a", encoding="utf-8") as journal:
                journal.write(report.to_json(indent=None))
        failed = [r for r in report.results if r.failed]
        if failed or verbose or counted % max(1, left // 50) == 0:
            said = f"[red]{failed[0].outcome}[/] {matrix.safe(failed[0].error)}" if failed else "ok"
            console.print(f"[dim]{counted} of {left}[/] {matrix.safe(report.bundle)} {said}")

    return many.verify_many(
        files, plan, jobs=jobs, earlier=earlier, progress=lambda text: console.print(f"[dim]{matrix.safe(text)}[/]"), on_file=on_file
    )


def file_of(row: str) -> Path:
    """The file of a row of the report: the row's name, or what is before its artifact's id."""
    return Path(row) if Path(row).exists() else Path(row.rpartition(":")[0] or row)


def journal_of(report: Path) -> Path:
    """The journal beside a report that is not written yet."""
    return report.with_name(f"{report.name}.part")


def forget(report: Path | None) -> None:
    """Delete the journal of a report that is written."""
    if report:
        journal_of(report).unlink(missing_ok=True)


def _earlier(file: Path) -> Report:
    from crossload.report.results import Report
    from crossload.verbs.verify import many

    journal = journal_of(file)
    found = [Report.read(file)] if file.exists() else []
    if journal.exists():
        found.append(many.read_journal(journal))
    if not found:
        raise CrossloadError(f"there is no report {file} to go on with; leave out --resume")
    for report in found:
        report.bundle = ""
    return Report.merged(found)
