"""`crossload doctor`: what this machine has, what is missing, and the command that fixes it."""

from __future__ import annotations

import json
import sys

import click

from crossload.cli.framework import Command, option
from crossload.support.text import printable


@click.command(
    name="doctor",
    cls=Command,
    examples=["doctor", "doctor --clean"],
    exit_status="0 nothing is missing, 1 something that every command needs is missing.",
)
@option("--clean", is_flag=True, help="Remove environments that no runtime uses any more, and unfinished ones.")
@option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(clean: bool, as_json: bool) -> None:
    """Check Python, uv, JDK, Maven, disk, caches and runtimes, and print the command that fixes what is missing.

    Starts and changes nothing. Only TensorFlow Java needs a JDK and Maven.
    """
    from crossload.cli.pages.page import columns, warning
    from crossload.verbs.doctor import doctor

    if clean:
        removed = doctor.clean()
        for cached in removed:
            click.echo(f"removed {cached.path} ({_size(cached.size_bytes)})", err=True)
        click.echo(f"{len(removed)} folders removed, {_size(sum(c.size_bytes for c in removed))}", err=True)
    found = doctor.doctor()
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=1))
        sys.exit(found.exit_status)
    width = max(len(f.name) for f in found.findings)
    for finding in found.findings:
        mark = {"ok": "ok      ", "optional": "not yet ", "missing": warning("missing ")}[finding.state]
        click.echo(f"{mark} {finding.name:<{width}}  {printable(finding.detail)}")
        if finding.mend:
            click.echo(f"{'':<9}{'':<{width}}  → {printable(finding.mend)}")
    if found.cached:
        click.echo("\nCached environments")
        rows = [(str(c.path), _size(c.size_bytes), ", ".join(c.runtimes) or "no runtime; --clean removes it") for c in found.cached]
        click.echo("\n".join(columns(rows)))
    sys.exit(found.exit_status)


def _size(size_bytes: int) -> str:
    return f"{size_bytes / (1 << 20):,.0f} MiB"
