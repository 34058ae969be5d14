"""`crossload diagnose`: the first inner tensor that differs between an artifact and its reference."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crossload.cli import options
from crossload.cli.framework import OUTPUT, WHAT, Command, option
from crossload.support.text import printable

if TYPE_CHECKING:
    from crossload.verbs.diagnose.diagnose import Divergence


@click.command(
    name="diagnose",
    cls=Command,
    examples=[
        "diagnose digits/ --artifact tflite --runtime litert",
        "diagnose digits/ --artifact graph_def --runtime tensorflow-java --against saved_model",
        "diagnose digits/ --artifact tflite --runtime litert --against tflite-runtime --reproducer one_op/",
    ],
    exit_status="0 no inner tensor differs beyond rounding, 1 one does, 2 input that cannot be used, or two sides without common tensors.",
)
@click.argument("path", type=click.Path(path_type=Path), metavar="BUNDLE")
@option("--runtime", "-r", required=True, metavar=options.RUNTIME, group=WHAT, help="The runtime whose answers differ.")
@options.artifact
@option(
    "--against",
    metavar="ARTIFACT|RUNTIME",
    group=WHAT,
    help="Another SavedModel or frozen graph of the bundle, or another runtime for the same artifact. "
    "Default: the artifact whose answers were recorded.",
)
@option("--signature", "-s", metavar="NAME", group=WHAT, help="The signature. Default: the only one, or serving_default.")
@option("--vector", metavar="NAME", group=WHAT, help="The request. Default: the first that the runtime answers otherwise.")
@options.limits
@option(
    "--reproducer",
    type=click.Path(path_type=Path),
    metavar="DIR",
    group=OUTPUT,
    help="Write the operation alone: its graph, its inputs, both answers, and the command that runs it.",
)
@option("--overwrite", is_flag=True, group=OUTPUT, help="Replace the folder of --reproducer if it is an earlier one.")
@option("--json", "as_json", is_flag=True, group=OUTPUT, help="Print JSON.")
def command(path: Path, as_json: bool, **given: Any) -> None:
    """Find the first inner tensor that differs beyond rounding between an artifact and its reference.

    Asks both sides for their inner tensors in the order of execution: SavedModels and frozen graphs by the names of nodes (a SavedModel
    as a frozen copy), a .tflite by the names that its converter kept, and by shape and value. Where the reference can be computed in
    float64, that tells how much of a difference is rounding.
    """
    from crossload.verbs.diagnose.diagnose import diagnose

    limits = options.to_limits({name: given.pop(name) for name in ("time_limit", "memory_limit")})
    found = diagnose(path, limits=limits, progress=lambda text: click.echo(printable(text), err=True), **given)
    click.echo(json.dumps(found.to_json(), indent=1) if as_json else "\n".join(_lines(found)))
    sys.exit(0 if found.tensor is None else 1)


def _lines(found: Divergence) -> list[str]:
    left_out = f"; {found.left_out} have no counterpart or no value" if found.left_out else ""
    about = f"{found.artifact} in {found.runtime}, against {found.reference}, {found.signature}/{found.vector}"
    if found.tensor is None:
        return [printable(f"{about}: none of {found.compared} inner tensors differs beyond rounding{left_out}")]
    layer = f", in the layer {found.layer}" if found.layer else ""
    other = f" ({found.against} there)" if found.against != found.tensor else ""
    lines = [
        about,
        f"the first tensor that differs: {found.tensor} ({found.op}){layer}",
        f"  {found.detail}{other}",
        *([f"  because: {found.why}"] if found.why else []),
        *(f"  reads {name}: {_AGREES[agrees]}" for name, agrees in found.inputs),
        f"  {found.compared} tensors before it agree{left_out}",
        *([f"reproducer: {found.reproducer}"] if found.reproducer else []),
    ]
    return [printable(line) for line in lines]


_AGREES = {True: "agrees", False: "differs", None: "not compared"}
