"""`crossload check`: which releases will load an artifact, what stops the others, and which release to use instead."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crossload.cli import options
from crossload.cli.framework import WHAT, Command, listed, option
from crossload.errors import CrossloadError
from crossload.support.text import printable

if TYPE_CHECKING:
    from crossload.verbs.check.prediction import Prediction

_MOST_FINDINGS = 5


@click.command(
    name="check",
    cls=Command,
    examples=[
        "check saved_model/",
        "check saved_model/ --runtime tensorflow-java@0.4.2",
        "check digits/ --runtime 'tensorflow-java@*' --json",
        "check frozen.pb --runtime tensorflow-java-legacy@1.15.0 --all",
        "check model.tflite --runtime android@2.16.1,ios@2.17.0,tflite-micro",
        "check models/ 'more/*.pb' --runtime tensorflow-java@0.5.0",
    ],
    exit_status="0 every named release will load and run it, 1 one of them will not, 2 input that cannot be used. "
    "Without --runtime: 0 if any release will. Of many files: the highest status of any.",
    old={"for": "runtime", "f": "r"},
)
@options.paths
@option(
    "--runtime",
    "-r",
    "runtimes",
    multiple=True,
    metavar=options.RUNTIME,
    group=WHAT,
    help="A release, or a pattern ('tensorflow-java@*'); repeatable, or separated by commas. Default: every release that check knows.",
)
@options.tags
@options.artifact
@option("--all", "show_all", is_flag=True, help=f"Print every obstacle, not only the first {_MOST_FINDINGS} per release.")
@option("--json", "as_json", is_flag=True, help="Print JSON; of many files, a line of JSON for each.")
def command(
    paths: tuple[Path, ...], runtimes: tuple[str, ...], tags: str | None, artifact: str | None, show_all: bool, as_json: bool
) -> None:
    """Predict which releases will load and run a SavedModel, a GraphDef, a .tflite, or a bundle, without loading it.

    Compares its ops, attributes, functions, datatypes, devices, init ops and signatures with what each release registers and
    what its Java layer accepts. TensorFlow is not needed and no part of the model runs, so wrong shapes and values that
    a model rejects show only when it runs (`crossload verify`).

    For a .tflite: the operators with their versions and datatypes that each interpreter has, its custom and Flex ops, the ranks and
    broadcasts that it takes, operands that must be constants, options that kill it, and answers that are known to be others
    (mismatch). android@ and ios@ do not run here: what they have is inferred from the releases of the same sources.

    Several paths, a folder of artifacts, a pattern, or a list on standard input (-) are a table with a row for each artifact and its
    worst obstacle. Formats that check does not cover are listed and do not fail.
    """
    from crossload.cli import many
    from crossload.verbs.check.check import check

    names = listed(runtimes) or ()
    if many.means_many(paths):
        from crossload.cli import check_many

        if artifact is not None or show_all:
            raise CrossloadError(f"{'--all' if artifact is None else '--artifact'} is about one path; name one")
        sys.exit(check_many.show(many.files_of(paths, "check"), names, options.to_tags(tags), as_json))
    report = check(paths[0], names, tags=options.to_tags(tags), artifact=artifact)
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=1))
    else:
        for entry in report.artifacts:
            if len(report.artifacts) > 1 or entry.id != entry.format:
                click.echo(f"{printable(entry.id)} ({entry.format}):")
            for prediction in entry.predictions:
                _print(prediction, entry.would_do, None if show_all else _MOST_FINDINGS, detailed=bool(names))
        for left_out in report.left_out:
            click.echo(f"not checked: {printable(left_out)}")
    sys.exit(report.exit_status)


def _print(prediction: Prediction, would_do: list[str], most: int | None, *, detailed: bool) -> None:
    title = f"{prediction.runtime:<30} TensorFlow {prediction.tensorflow:<8}" if prediction.tensorflow else f"{prediction.runtime:<34}"
    if prediction.outcome == "ok" and not prediction.findings:
        click.echo(printable("; ".join([f"{title} ok", *prediction.notes])))
        return
    said = prediction.outcome
    stopped = [name for name, outcome in prediction.signatures.items() if outcome != "ok"]
    if prediction.outcome == "ok":
        said = f"ok, but not {', '.join(stopped[:3])}{', …' if len(stopped) > 3 else ''}" if stopped else "ok"
    if not detailed:
        click.echo(f"{title} {said}: {printable(prediction.explanation())}")
        return
    click.echo(f"{title} {said}")
    groups: dict[str, list[str]] = {}
    for finding in prediction.findings:
        place = finding.place or (f"signature {finding.signature!r}" if finding.signature else "")
        groups.setdefault(finding.sentence, []).append(place)
    for at, (sentence, places) in enumerate(groups.items()):
        if at == most:
            click.echo(f"    … and {len(groups) - at} more; --all lists them")
            break
        more = f" and {len(places) - 1} more" if len(places) > 1 else ""
        click.echo(printable(f"    {sentence}{f' ({places[0]}{more})' if places[0] else ''}"))
    others = [name for name in would_do if name != prediction.runtime]
    if prediction.outcome != "ok":
        step = f"; {prediction.remedy}" if prediction.remedy else ""
        click.echo(f"    → would run in: {', '.join(others) or 'no release that check knows'}{step}")
