"""`crossload check` of many files: a row for each artifact, a column for each release, and the worst obstacle."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from crossload.cli import many
from crossload.errors import CrossloadError
from crossload.support.text import printable
from crossload.verbs.check.check import COVERED, Check, Checked, checked, releases_of
from crossload.verbs.check.findings import SEVERITY
from crossload.verbs.check.prediction import Prediction

# So many releases have a column each; of more, the row says how many will run the artifact.
_MOST_COLUMNS = 4


def show(files: Sequence[str], names: Sequence[str], tags: Sequence[str] | None, as_json: bool) -> int:
    """Check each file, whatever another is like, and print a table, or a line of JSON for each; returns the exit status.

    Raises CrossloadError for unknown releases, and where no file can be checked.
    """
    releases = releases_of(names)
    columns = [r.title for r in releases] if releases and len(releases) <= _MOST_COLUMNS else []
    rows = [("artifact", "format", *(columns or ["runs in"]), "worst obstacle")]
    status = count = 0
    for file in many.counted(files):
        try:
            found = many.readable(Path(file), lambda path: checked(path, names, releases, tags))
        except CrossloadError as error:
            status = max(status, error.exit_status)
            rows.append((printable(file), "–", *["–"] * (len(columns) or 1), f"error: {printable(str(error))}"))
            said = {"path": file, "error": str(error)}
        else:
            status, count = max(status, found.exit_status), count + len(found.artifacts)
            rows += _rows(found, columns)
            said = found.to_json()
        if as_json:
            click.echo(json.dumps(said))
    if not count and not status:
        if releases:
            raise CrossloadError("none of the named releases takes a file of these formats; without --runtime, all that do are asked")
        raise CrossloadError(f"check covers {COVERED}, and none of the files is one; `crossload verify` runs other formats")
    if not as_json:
        click.echo(many.table(rows))
    return status


def _rows(found: Check, columns: Sequence[str]) -> list[tuple[str, ...]]:
    several = len(found.artifacts) + len(found.left_out) > 1
    return [
        *(_row(f"{found.path}:{entry.id}" if several else found.path, entry, columns) for entry in found.artifacts),
        *((printable(found.path), "–", *["–"] * (len(columns) or 1), f"not checked: {printable(text)}") for text in found.left_out),
    ]


def _row(name: str, entry: Checked, columns: Sequence[str]) -> tuple[str, ...]:
    outcomes = {p.runtime: p.outcome for p in entry.predictions}
    running = [title for title, outcome in outcomes.items() if outcome == "ok"]
    cells = [outcomes[title] for title in columns] or [f"{len(running)} of {len(outcomes)}"]
    worst = _worst([p for p in entry.predictions if p.findings])
    said = f"{worst.runtime}: {worst.explanation()}" if worst else "none"
    return (printable(name), entry.format, *cells, printable(said))


def _worst(stopped: Sequence[Prediction]) -> Prediction | None:
    """The prediction with the worst outcome, of several the newest release's."""
    order = (*SEVERITY, "ok")
    return min(reversed(stopped), key=lambda p: order.index(p.outcome), default=None)
