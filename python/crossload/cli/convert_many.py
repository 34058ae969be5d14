"""`crossload convert -o FOLDER`: many conversions, a line of progress for each, a table at the end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crossload.cli import many
from crossload.errors import CrossloadError
from crossload.report import matrix
from crossload.support.text import printable

if TYPE_CHECKING:
    from crossload.report.results import Report
    from crossload.verbs.convert.many import Conversion


def run(paths: Sequence[Path], folder: Path, to: str, **terms: Any) -> int:
    """Convert all sources that the paths mean and print what became of each, also if interrupted; returns the exit status."""
    from crossload.verbs.convert.many import JOURNAL, convert_many, outside

    sources = outside(folder, many.files_of(paths, f"convert -o {folder}"))
    if not sources:
        raise CrossloadError(f"every source lies in {folder}, where the results go; name another folder")
    rows = [("source", "result", "answers")]
    done: list[Conversion] = []

    def on_file(conversion: Conversion, report: Report | None) -> None:
        done.append(conversion)
        said = _said(conversion, report)
        rows.append((printable(conversion.source), "–" if conversion.error else printable(conversion.result), said))
        click.echo(f"{len(done)} of {len(sources)} {printable(conversion.source)}: {said}", err=True)

    try:
        convert_many(sources, folder, to, progress=lambda text: click.echo(f"  {text}", err=True), on_file=on_file, **terms)
    finally:
        if done:
            click.echo(many.table(rows))
            click.echo(_counts(done, len(sources)))
            click.echo(f"{folder / JOURNAL} has a line for each source; next: crossload show {folder}")
    return max(c.status for c in done)


def _said(conversion: Conversion, report: Report | None) -> str:
    if conversion.error:
        return f"error: {printable(conversion.error)}"
    close = f": {matrix.closeness([r for r in report.results if r.agreement])}" if report else ""
    said = "not verified" if conversion.compared is None else f"{conversion.compared} agree{close}"
    return f"kept, {said}" if conversion.kept else said


def _counts(done: Sequence[Conversion], wanted: int) -> str:
    failed = sum(c.error is not None for c in done)
    kept = sum(c.kept for c in done)
    counts = ((len(done) - failed - kept, "converted"), (kept, "kept"), (failed, "failed"), (wanted - len(done), "left; --resume goes on"))
    return f"{wanted} sources: {', '.join(f'{count} {what}' for count, what in counts if count)}"
