"""`crossload report`: show and merge the reports of earlier runs."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from crossload.cli import options
from crossload.cli.framework import Command, option


@click.command(
    name="report",
    cls=Command,
    examples=["report report.json", "report monday.json tuesday.json --json both.json"],
    exit_status="as for `crossload verify`, of the merged report; 2 a file that is not a report.",
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="REPORT.json...")
@option("--json", "json_file", type=options.WRITTEN, metavar="FILE", help="Write the merged report as JSON.")
@option("--junit", "junit_file", type=options.WRITTEN, metavar="FILE", help="Write the merged report as JUnit XML.")
def command(files: tuple[Path, ...], json_file: Path | None, junit_file: Path | None) -> None:
    """Show the matrix of earlier runs of one bundle. For each case, the result of the last report counts."""
    from crossload.cli.verify import finish
    from crossload.report.results import Report

    report = Report.merged([Report.read(file) for file in files])
    finish(report, json_file, junit_file)
    sys.exit(report.exit_status)
