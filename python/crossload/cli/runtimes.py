"""`crossload runtimes`: which runtimes exist, whether they are ready, and how to fix those that are not."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crossload.cli import options
from crossload.cli.framework import Command, option
from crossload.errors import CrossloadError

if TYPE_CHECKING:
    from crossload.runtimes.health import Status


@click.command(
    name="runtimes",
    cls=Command,
    examples=[
        "runtimes",
        "runtimes --check litert",
        "runtimes --prepare tflite-runtime litert",
        "runtimes build litert tensorflow-java",
        "runtimes build crossload",
        "runtimes build litert/arm64",
        "runtimes --check docker:litert",
    ],
)
@click.argument("names", nargs=-1)
@option("--prepare", is_flag=True, help="Make the missing environments.")
@option("--check", is_flag=True, help="Start each runtime, read its identity, and have it echo tensors of every datatype.")
@option("--base", metavar="IMAGE", help="For build: the image that takes the place of the Dockerfiles' own BASE_IMAGE.")
@option(
    "--sbom", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="For build: write a bill of materials for each image."
)
@option("--json", "as_json", is_flag=True, help="Print JSON.")
@options.limits
def command(names: tuple[str, ...], prepare: bool, check: bool, base: str | None, sbom: Path | None, as_json: bool, **limits: Any) -> None:
    """List all runtimes, or NAMES, with their versions, formats and state; `build` makes their container images instead.

    A name may include a version (litert@2.3.0), be a pattern ('tensorflow-java@*'), or name a runtime in a container (docker:litert) or in
    namespaces of this kernel (bubblewrap:litert), or in a container of another platform (docker:litert/arm64), whose processor is emulated.
    `crossload runtimes build` without names builds the images of the default runtimes; `crossload runtimes build crossload` builds one
    image of crossload itself with all of them.
    """
    from crossload.runtimes import registry

    if names[:1] == ("build",):
        _build(names[1:], base, sbom)
        return
    if base or sbom:
        raise CrossloadError("--base and --sbom are for `crossload runtimes build`")
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


def _build(names: tuple[str, ...], base: str | None, sbom: Path | None) -> None:
    """Build the images one after the other, then list their sizes."""
    from crossload.runtimes import registry
    from crossload.runtimes.walls import images, whole_image
    from crossload.support import files

    chosen = [name for name in names if name != whole_image.TITLE]
    workers = [registry.unwalled(r) for r in registry.find(chosen)] if chosen or not names else []

    def say(text: str) -> None:
        click.echo(text, err=True)

    built = [(images.build(runtime, base, say), images.bill(runtime)) for runtime in workers]
    if len(chosen) < len(names):
        built.append((whole_image.build(base, say), whole_image.bill()))
    for image, bill in built:
        if sbom:
            sbom.mkdir(parents=True, exist_ok=True)
            files.write_text(sbom / f"{image.name.rpartition('/')[2].replace(':', '-')}.cdx.json", json.dumps(bill, indent=1))
        click.echo(f"{image.name:<44} {image.size / 1e6:>8,.0f} MB{'  unchanged' if image.cached else ''}")


def _print(found: Status) -> None:
    about = found.runtime
    click.echo(f"{about.name:<22} {about.version:<20} {', '.join(about.formats):<24} {found.state}")
    for prefix, text in (("", found.identity), ("→ ", found.mend)):
        if text:
            click.echo(f"{'':<22} {prefix}{text}")
