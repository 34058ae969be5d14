"""`crossload runtimes`: which runtimes there are, whether they are ready, and what mends those that are not."""

from __future__ import annotations

import json
import sys

import click

from crossload.cli import options


@click.command(name="runtimes", epilog=options.examples("runtimes", "runtimes --check", "runtimes --prepare tflite-runtime litert"))
@click.argument("names", nargs=-1)
@click.option("--prepare", is_flag=True, help="Make the environments that are not made yet.")
@click.option("--check", is_flag=True, help="Start each, ask who it is, and have it echo tensors of every datatype.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@options.limits
def command(names: tuple[str, ...], prepare: bool, check: bool, as_json: bool, **limits: object) -> None:
    """List the runtimes, or only those NAMES, with their versions, formats and state.

    A name may carry its version (litert@2.3.0) or be a pattern ('tensorflow-java@*'), which means all that match.
    """
    from crossload.contract.datatypes import for_people
    from crossload.errors import CrossloadError
    from crossload.runtimes import environments, registry
    from crossload.runtimes.process import WorkerFailure
    from crossload.runtimes.selftest import certify

    chosen = registry.find(list(names)) if names else registry.all_runtimes()
    bad, rows = False, []
    for runtime in chosen:
        row = {"runtime": runtime.name, "version": runtime.version, "formats": list(runtime.formats), "default": runtime.default}
        try:
            if prepare or check:
                environments.prepare(runtime.source, lambda text: click.echo(text, err=True))
            problem = environments.missing(runtime.source)
            row["state"] = "ready" if problem is None else problem[0]
            if problem:
                row["mend"] = problem[1]
            if check:
                row["identity"], not_carried = certify(runtime, options.to_limits(limits))
                people = ", ".join(map(for_people, not_carried))
                row["state"] = f"certified: tensors come back as they were sent{f' (not carried: {people})' if people else ''}"
        except (CrossloadError, WorkerFailure) as error:
            bad, row["state"] = True, str(error)
        rows.append(row)
        if not as_json:
            _print(row)
    if as_json:
        click.echo(json.dumps(rows, indent=1))
    elif file := registry.configuration_file():
        click.echo(f"\nconfiguration: {file}")
    sys.exit(1 if bad else 0)


def _print(row: dict[str, object]) -> None:
    formats = ", ".join(row["formats"]) if isinstance(row["formats"], list) else ""
    click.echo(f"{row['runtime']!s:<22} {row['version']!s:<20} {formats:<24} {row['state']}")
    if identity := row.get("identity"):
        click.echo(f"{'':<22} {identity}")
    if mend := row.get("mend"):
        click.echo(f"{'':<22} → {mend}")
