"""`crossload runtimes`: which runtimes exist, whether they are ready, and how to fix those that are not."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from crossload.cli import options
from crossload.cli.framework import Command, option

if TYPE_CHECKING:
    from crossload.runtimes.health import Status


@click.command(name="runtimes", cls=Command, examples=["runtimes", "runtimes --check litert", "runtimes --prepare tflite-runtime litert"])
@click.argument("names", nargs=-1)
@option("--prepare", is_flag=True, help="Make the missing environments.")
@option("--check", is_flag=True, help="Start each runtime, read its identity, and have it echo tensors of every datatype.")
@option("--json", "as_json", is_flag=True, help="Print JSON.")
@options.limits
def command(names: tuple[str, ...], prepare: bool, check: bool, as_json: bool, **limits: Any) -> None:
    """List all runtimes, or NAMES, with their versions, formats and state.

    A name may include a version (litert@2.3.0) or be a pattern ('tensorflow-java@*').
    """
    from crossload.runtimes import registry
    from crossload.runtimes.health import status

    chosen = registry.find(list(names)) if names else registry.all_runtimes()
    own_limits = options.to_limits(limits)
    found = []
    for runtime in chosen:
        found.append(status(runtime, prepare=prepare, check=check, limits=own_limits, progress=lambda text: click.echo(text, err=True)))
        if not as_json:
            _print(found[-1])
    if as_json:
        click.echo(json.dumps([s.to_json() for s in found], indent=1))
    elif file := registry.configuration_file():
        click.echo(f"\nconfiguration: {file}")
    sys.exit(1 if any(s.failed for s in found) else 0)


def _print(found: Status) -> None:
    about = found.runtime
    click.echo(f"{about.name:<22} {about.version:<20} {', '.join(about.formats):<24} {found.state}")
    for prefix, text in (("", found.identity), ("→ ", found.mend)):
        if text:
            click.echo(f"{'':<22} {prefix}{text}")
