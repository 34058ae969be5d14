"""`crossload verify`: every vector through every runtime, the matrix, the report files, the exit status."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from crossload.cli import options


@click.command(
    name="verify",
    epilog=options.examples(
        "verify build/demo/digits",
        "verify digits --runtimes tensorflow,tensorflow-java --json report.json --junit report.xml",
        "verify digits --runtimes 'tensorflow-java@*'",
        "verify someone_elses.tflite --inputs real_inputs.npz",
    )
    + "\n\nExit status: 0 all compared and agreed, 1 a mismatch or failure, 2 input that cannot be used, "
    "3 nothing was compared, or nothing of what was asked for by name, 130 interrupted.",
)
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--runtimes",
    "-r",
    metavar="A,B",
    help="Which runtimes (`crossload runtimes` lists them): names, name@version, patterns ('tensorflow-java@*'); default: the usual ones.",
)
@click.option("--artifact", "-a", "artifacts", multiple=True, help="Only this artifact of the bundle; repeatable.")
@click.option("--signature", "-s", "signatures", multiple=True, help="Only this signature; repeatable.")
@click.option("--vector", "vectors_", multiple=True, help="Only this vector; repeatable.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the report as JSON.")
@click.option("--junit", "junit_file", type=click.Path(path_type=Path), help="Write the report as JUnit XML.")
@click.option(
    "--tolerance",
    multiple=True,
    metavar="NAME:rtol=1e-4,atol=1e-5",
    help="For a datatype (float32) or an output; a raised one is shown; repeatable.",
)
@click.option(
    "--agreement",
    type=click.Choice(["identical", "ulp", "close", "decision"]),
    default="close",
    show_default=True,
    help="The level that counts as ok.",
)
@click.option(
    "--nan",
    type=click.Choice(["same", "forbid"]),
    default="same",
    show_default=True,
    help="NaN must be where the reference has it, or nowhere.",
)
@click.option("--quiet", "-q", is_flag=True, help="No line a result, only the matrix and what failed.")
@options.loader
@options.keras
@options.wishes
@options.limits
def command(
    path: Path,
    runtimes: str | None,
    artifacts: tuple[str, ...],
    signatures: tuple[str, ...],
    vectors_: tuple[str, ...],
    json_file: Path | None,
    junit_file: Path | None,
    tolerance: tuple[str, ...],
    agreement: str,
    nan: str,
    quiet: bool,
    count: int,
    seed: int,
    npz: tuple[str, ...],
    shapes: tuple[str, ...],
    **given: Any,
) -> None:
    """Verify a bundle, or an artifact on its own (then the reference records its answers first).

    Every vector goes through every runtime that takes the artifact; crossload compares each answer with the recorded one.
    """
    from rich.console import Console

    from crossload.compare.tolerance import parse
    from crossload.report import junit, matrix
    from crossload.support import files
    from crossload.verbs.verify.verify import Listener, Plan, verify

    progress, out = Console(stderr=True, highlight=False, soft_wrap=True), Console(highlight=False)
    if not sys.stdout.isatty():
        out = Console(highlight=False, width=160)
    plan = Plan(
        artifacts=artifacts or None,
        signatures=signatures or None,
        vectors=vectors_ or None,
        tolerance=parse(tolerance),
        agreement=agreement,
        nan=nan,
        limits=options.to_limits(given),
        load_options=options.load_options(given),
        wishes=options.to_wishes(count, seed, npz, shapes),
        options=_repeated(),
    )
    listener = Listener(
        progress=lambda text: progress.print(f"[dim]{matrix.safe(text)}[/]"),
        result=lambda r: None if quiet else progress.print(matrix.line(r)),
    )
    names = [n.strip() for n in runtimes.split(",") if n.strip()] if runtimes else None
    report = verify(path, names, plan=plan, listener=listener)
    try:
        if json_file:
            files.write_text(json_file, report.to_json())
        if junit_file:
            files.write_text(junit_file, junit.to_junit(report))
    finally:  # a full disk must not hide what was found
        matrix.show(report, out)
    sys.exit(report.exit_status)


_REPEATED = {
    "--custom-objects",
    "--tolerance",
    "--agreement",
    "--nan",
    "--seed",
    "--vectors",
    "--inputs",
    "--shape",
    "--time-limit",
    "--memory-limit",
}


def _repeated() -> tuple[str, ...]:
    """The options of this command line that a reproducing command needs, too."""
    kept: list[str] = []
    arguments = iter(sys.argv[1:])
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        if name in _REPEATED:
            kept += [argument] if equals else [argument, next(arguments, "")]
    return tuple(kept)
