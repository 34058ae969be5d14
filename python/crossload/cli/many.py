"""Many files on one command line: which files the words mean, rows, progress; for `verify`, the journal that a crash leaves."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from crossload.errors import ArtifactError, CrossloadError
from crossload.support.text import is_pattern, printable

if TYPE_CHECKING:
    from crossload.report.results import Report
    from crossload.verbs.verify.plan import Plan

_Read = TypeVar("_Read")
SECONDS_BETWEEN_LINES = 2


def means_many(paths: Sequence[Path]) -> bool:
    """Whether the paths mean more than one artifact or bundle; a folder without any is one path, so that its error tells what it holds."""
    from crossload.artifacts import search

    if len(paths) != 1:
        return len(paths) > 1
    word = str(paths[0])
    if word == "-" or (is_pattern(word) and not paths[0].exists()):
        return True
    return not search.is_one(paths[0]) and any(True for _ in search.inside(paths[0]))


def files_of(paths: Sequence[Path], command: str) -> list[str]:
    """The files that the paths mean; `-` is a list on standard input. Raises CrossloadError where they mean none."""
    from crossload.artifacts import search

    words = [w for p in paths for w in (sys.stdin.read().splitlines() if str(p) == "-" else [str(p)]) if w]
    if not words:
        raise CrossloadError(f"name files, folders or patterns, or give a list of files on standard input: crossload {command} -")
    return search.expanded(words)


def counted(files: Sequence[str]) -> Iterator[str]:
    """The files one after the other; a run of many seconds says how far it is, on standard error."""
    said = time.monotonic()
    for at, file in enumerate(files, 1):
        if time.monotonic() - said > SECONDS_BETWEEN_LINES:
            said = time.monotonic()
            click.echo(f"{at} of {len(files)} {printable(file)}", err=True)
        yield file


def readable(path: Path, read: Callable[[Path], _Read]) -> _Read:
    """What `read` returns; raises ArtifactError also for what the disk refuses, so that one file does not end a run over many."""
    try:
        return read(path)
    except OSError as error:
        raise ArtifactError(f"{error.filename or path} cannot be read: {error.strerror}; check its permissions and its disk") from error


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """Rows below a heading, the first row; each column but the last is as wide as its longest text."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(row, (*widths, 0), strict=True)).rstrip() for row in rows)


def verify(
    paths: Sequence[Path], plan: Plan, jobs: int | None, on: str | None, resume: Path | None, json_file: Path | None, verbose: bool
) -> Report:
    """Verify all files that the paths mean, with a line of progress for each; with `json_file`, a journal is beside it until the end.

    `on` is the cluster that does it, None for this machine; `jobs` files are verified at a time (default: 1; on a cluster, one for
    each CPU).
    """
    from rich.console import Console

    from crossload.report import matrix
    from crossload.verbs.verify import many

    files = files_of(paths, "verify")
    written = json_file or resume
    earlier = _earlier(resume) if resume else None
    left = len(many.unsettled(files, earlier))
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    done = 0

    def on_file(report: Report) -> None:
        nonlocal done
        done += 1
        if written:
            with journal_of(written).open("a", encoding="utf-8") as journal:
                journal.write(report.to_json(indent=None))
        failed = [r for r in report.results if r.failed]
        if failed or verbose or done % max(1, left // 50) == 0:
            said = f"[red]{failed[0].outcome}[/] {matrix.safe(failed[0].error)}" if failed else "ok"
            console.print(f"[dim]{done} of {left}[/] {matrix.safe(report.bundle)} {said}")

    def progress(text: str) -> None:
        console.print(f"[dim]{matrix.safe(text)}[/]")

    if on is None:
        return many.verify_many(files, plan, jobs=jobs or 1, earlier=earlier, progress=progress, on_file=on_file)
    from crossload.verbs.verify import cluster

    with cluster.connected(on) as (make_lane, room):
        return many.verify_many(
            files, plan, jobs=min(jobs or room, room), make_lane=make_lane, earlier=earlier, progress=progress, on_file=on_file
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
