"""The console output of a run: one line per result as it arrives, then the matrix, then failures and how to reproduce them."""

from __future__ import annotations

import re
from collections import Counter

from rich import markup
from rich.console import Console
from rich.table import Table

from crossload.contract.outcomes import AGREEMENTS, COMPARED
from crossload.report.results import Report, Result
from crossload.support.text import printable

_STDERR_LINES = 5
_MOST_COLUMNS = 6
_MOST_ROWS = 40
_STYLES = {"ok": "green", "unsupported": "dim"}


def safe(text: str | None) -> str:
    """Text of unknown origin (a manifest, a worker) escaped as rich markup: it must neither style nor control the terminal."""
    return markup.escape(printable(text or ""))


def line(result: Result) -> str:
    """One result as a line of rich markup."""
    case = result.case
    what = _how_close(result) if result.outcome in COMPARED else safe(result.error)
    style = _STYLES.get(result.outcome, "red")
    return (
        f"  [{style}]{result.outcome:<11}[/] {safe(f'{case.runtime:<16} {case.artifact:<12}')} "
        f"{safe(f'{case.signature}/{case.vector}'):<32} {what}"
    )


def show(report: Report, console: Console) -> None:
    """The matrix, the cautions, the failures with their reproducing commands, and the closing counts."""
    if report.results:
        console.print(f"[bold]{safe(report.bundle)}[/]", soft_wrap=True)
        console.print(_table(report))
        console.print("[dim]ok: every vector agrees; the worst is shown · – the runtime does not take the format[/]")
    for note in _notes(report):
        console.print(f"[yellow]note[/] {safe(note)}")
    _unsupported(report, console)
    _failures(report, console)
    counts = ", ".join(f"{n} {o}" for o, n in report.summary().items() if o != "total")
    total = report.summary()["total"]
    if report.interrupted:
        console.print("[red]interrupted[/]: the remaining cases are not_run")
    for said in report.uncompared:
        console.print(f"[red]{safe(said)}[/]; `crossload runtimes` lists the formats")
    console.print(f"{total} result{'' if total == 1 else 's'}: {counts or 'none'}", highlight=False)


def _table(report: Report) -> Table:
    """One column per runtime; one row per runtime if they do not fit side by side."""
    rows, left_out = _rows(report)
    versions = {str(r["runtime"]): f"{r['version']}{' emulated' if r.get('emulated') else ''}" for r in report.runtimes}
    found: dict[tuple[str, str], list[Result]] = {}
    for result in report.results:
        found.setdefault((result.case.runtime, result.case.artifact), []).append(result)
    cells = {(name, artifact): _cell(found.get((name, artifact), [])) for name in report.columns for artifact in rows}
    table = Table(header_style="bold", pad_edge=False)
    if len(report.columns) <= max(_MOST_COLUMNS, len(rows)):
        table.add_column("artifact")
        for name in report.columns:
            table.add_column(f"{safe(name)}\n[dim]{safe(versions.get(name, '–'))}[/]", overflow="fold")
        for artifact in rows:
            table.add_row(safe(artifact), *(cells[name, artifact] for name in report.columns))
        if left_out:
            table.add_row(f"[dim]{len(left_out)} more[/]", *(_cell(left_out_of) for left_out_of in _by_column(report, left_out)))
        return table
    for heading in ("runtime", "release", *rows):
        table.add_column(safe(heading), overflow="fold")
    for name in report.columns:
        table.add_row(safe(name), f"[dim]{safe(versions.get(name, '–'))}[/]", *(cells[name, artifact] for artifact in rows))
    return table


def _rows(report: Report) -> tuple[list[str], set[str]]:
    """The rows to show and those to count together: of a great many, only those with a failure are shown."""
    if len(report.rows) <= _MOST_ROWS:
        return report.rows, set()
    failed = {r.case.artifact for r in report.results if r.failed}
    shown = [row for row in report.rows if row in failed][:_MOST_ROWS]
    return shown, set(report.rows) - set(shown)


def _by_column(report: Report, rows: set[str]) -> list[list[Result]]:
    found: dict[str, list[Result]] = {name: [] for name in report.columns}
    for result in report.results:
        if result.case.artifact in rows and result.case.runtime in found:
            found[result.case.runtime].append(result)
    return list(found.values())


def _cell(results: list[Result]) -> str:
    if not results:
        return "[dim]–[/]"
    counts = Counter(r.outcome for r in results)
    unsupported = f"\n[dim]{counts['unsupported']} unsupported[/]" if counts["unsupported"] else ""
    failed = [o for o in counts if o not in ("ok", "unsupported")]
    if failed:
        return "\n".join(f"[red]{o} {counts[o]}/{len(results)}[/]" for o in failed) + unsupported
    compared = [r for r in results if r.outcome == "ok"]
    if not compared:
        return "[dim]unsupported[/]"
    return f"[green]ok[/] {len(compared)} {closeness(compared)}{unsupported}"


def closeness(compared: list[Result]) -> str:
    """The agreement of the worst of these comparisons, in a word or two."""
    return _how_close(max(compared, key=lambda r: (AGREEMENTS.index(r.agreement or "different"), _distance(r))))


def _distance(result: Result) -> float:
    return float(result.metrics.get("steps", result.metrics.get("rounding", result.metrics.get("max_ulp", 0))))


def _how_close(result: Result) -> str:
    """`identical`, `3 ULP`, or the level with its distance: in steps of a quantised output's scale, in roundings, else in ULP.

    Absolute where ULP are not meaningful.
    """
    ulp = result.metrics.get("max_ulp")
    if result.metrics.get("steps"):
        steps = round(result.metrics["steps"], 1)
        return f"{result.agreement} {steps:g} step{'' if steps == 1 else 's'}"
    if ulp is None or result.agreement == "identical":
        return str(result.agreement)
    if result.agreement == "ulp":
        return f"{ulp} ULP"
    if "rounding" in result.metrics:
        return f"{result.agreement} {result.metrics['rounding']:.2g} × rounding"
    return f"{result.agreement} {ulp} ULP" if ulp < 10000 else f"{result.agreement} {result.metrics['max_abs']:.2g}"


def _notes(report: Report) -> list[str]:
    told = Counter((r.case.runtime, r.case.artifact, r.note) for r in report.results if r.note)
    return [*report.cautions, *(f"{runtime} on {artifact}: {note}" for runtime, artifact, note in told)]


def _unsupported(report: Report, console: Console) -> None:
    alike: dict[tuple[str, str, str], list[Result]] = {}
    for r in report.results:
        if r.outcome == "unsupported":
            alike.setdefault((r.case.runtime, r.case.artifact, _likeness(r.error)), []).append(r)
    for (runtime, artifact, _), results in alike.items():
        console.print(f"[dim]unsupported[/] {safe(f'{runtime} on {artifact}')}, {len(results)}×: {safe(results[0].error)}")


def _failures(report: Report, console: Console) -> None:
    """The failures, near-equal ones as one: of mismatches the worst, of others the first.

    A worker that never starts fails every case of its runtime for one reason; every vector of a signature has another distance; and
    releases of one runtime say the same of a model.
    """
    alike: dict[tuple[str, ...], list[Result]] = {}
    for result in report.results:
        if result.failed and result.error != "interrupted":
            differs, about = result.outcome == "mismatch", result.case
            of = (about.runtime, about.artifact, about.signature, str(result.cause)) if differs else ()
            alike.setdefault((result.outcome, _likeness(result.error, names=not differs), *of), []).append(result)
    told: set[tuple[str, ...]] = set()  # all vectors of a signature have one cause
    for results in alike.values():
        # `max` takes the first of equal ones.
        first, more = max(results, key=_distance) if results[0].outcome in COMPARED else results[0], len(results) - 1
        case = safe(f"{first.case.runtime} on {first.case.artifact}, {first.case.signature}/{first.case.vector}")
        runtimes = ", ".join(dict.fromkeys(r.case.runtime for r in results if r.case.runtime != first.case.runtime))
        word = "alike" if all(r.error == first.error for r in results) else "like it"
        others = f" (and {more} more {word}{safe(f', also in {runtimes}' if runtimes else '')})" if more else ""
        console.print(f"\n[red]{first.outcome}[/] {case}{others}: {safe(first.error)}")
        metrics = ", ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in first.metrics.items())
        if metrics:
            console.print(f"  {metrics}", highlight=False)
        for text in _last_lines(first.stderr or "") if first.outcome not in COMPARED else ():
            console.print(f"  [dim]| {safe(text)}[/]", highlight=False)
        if first.cause and (place := (first.case.runtime, first.case.artifact, first.case.signature, str(first.cause))) not in told:
            told.add(place)
            console.print(f"  cause: {safe(str(first.cause))}", highlight=False, soft_wrap=True)
        if first.reproduce:
            console.print(f"  reproduce: {safe(first.reproduce)}", highlight=False, soft_wrap=True)


def _likeness(error: str | None, *, names: bool = True) -> str:
    """A sentence without its numbers, and without the `names` that it quotes: equal for failures that differ in nothing else."""
    return re.sub(r"\S*[\d_'\"\[\]{}/]\S*" if names else r"\S*\d\S*", "·", error or "")


def _last_lines(stderr: str) -> list[str]:
    """A worker's last lines, without the frames of a Java stack trace, which point into crossload's own code (--json has them)."""
    return [text for text in stderr.splitlines() if not text.startswith("\tat ")][-_STDERR_LINES:]
