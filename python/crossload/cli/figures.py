"""What commands with measured figures share: their options, their table, and the files that they write."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crossload.cli import options
from crossload.cli.framework import LIMITS, OUTPUT, WHAT, option, stacked

if TYPE_CHECKING:
    from rich.table import Table

one_signature = option(
    "--signature", "-s", metavar="NAME", group=WHAT, help="The signature; required if there are several and none is serving_default."
)
files = stacked(
    option("--json", "json_file", type=options.WRITTEN, metavar="FILE", group=OUTPUT, help="Write all figures as JSON."),
    option("--plot", "plot_file", type=options.WRITTEN, metavar="FILE.svg", group=OUTPUT, help="Draw the table as SVG."),
)


def duration(said: str) -> Callable[[Any], Any]:
    """The option `--seconds`; `said` is its help."""
    return option("--seconds", "duration", type=click.FloatRange(0.1, 3600), default=2.0, show_default=True, group=LIMITS, help=said)


def table(columns: Sequence[tuple[str, Sequence[str]]], words: Collection[str]) -> Table:
    """The columns (name, cells) that say something; those in `words` are text, the others numbers."""
    from rich.table import Table

    made = Table(header_style="bold", pad_edge=False)
    shown = [(name, cells) for name, cells in columns if any(cells)]
    for name, _ in shown:
        made.add_column(name, justify="left" if name in words else "right", overflow="fold")
    for row in zip(*(cells for _, cells in shown), strict=True):
        made.add_row(*row)
    return made


def written(content: dict[str, Any], json_file: Path | None, plotted: Callable[[], str], plot_file: Path | None) -> None:
    """Write the files that were asked for."""
    from crossload.support.files import write_text

    if json_file:
        write_text(json_file, json.dumps(content, indent=1) + "\n")
    if plot_file:
        write_text(plot_file, plotted())
