"""`crossload verify`: run every vector in every runtime, then print the matrix, write the reports, set the exit status."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crossload.cli import options
from crossload.cli.framework import CLOSE, OUTPUT, WHAT, Command, listed, option, said
from crossload.errors import CrossloadError

if TYPE_CHECKING:
    from rich.console import Console

    from crossload.report.results import Report, Result
    from crossload.runtimes.environments import Wall
    from crossload.verbs.verify.plan import Plan
    from crossload.verbs.verify.run import OnResult

OLD = {"runtimes": "runtime", "vectors": "count", "inputs": "input-file"}
EXIT_STATUS = (
    "0 all compared and agreed, 1 a mismatch or failure, 2 input that cannot be used, "
    "3 nothing was compared, or nothing for a named runtime or artifact, or only the recording runtime with itself, which nobody named, "
    "130 interrupted."
)


@click.command(
    name="verify",
    cls=Command,
    examples=[
        "verify digits/",
        "verify digits/ --runtime 'tensorflow-java@*' --json report.json --junit report.xml",
        "verify someone_elses.tflite --input-file real_inputs.npz",
        "verify models/ 'more/*.tflite' --jobs 2 --json report.json",
        "verify models/ --on ray://head:10001 --json report.json",
        "verify digits/ --fresh 4",
        "verify from_the_net/ --untrusted",
        "verify digits/ --from digits-c/build/answers.json",
        "verify --from report.json",
    ],
    exit_status=EXIT_STATUS,
    old=OLD,
)
@click.argument("paths", type=click.Path(path_type=Path), nargs=-1, metavar="[PATH|-]...")
@options.runtimes
@options.artifacts
@options.signatures
@option("--vector", "vectors", multiple=True, metavar="NAME", group=WHAT, help="Only this vector; repeatable.")
@option(
    "--from",
    "earlier",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE.json",
    group=WHAT,
    help="A report: repeat the cases that failed in that run, with its options. Or the answers that a device wrote: judge them here, "
    "beside the other runtimes; repeatable.",
)
@option(
    "--resume",
    type=click.Path(path_type=Path),
    metavar="REPORT.json",
    group=WHAT,
    help="Go on with a run over many files that was interrupted: unchanged files of that report are not verified again.",
)
@option(
    "--jobs",
    type=click.IntRange(1, 1024),
    group=WHAT,
    help="Of many files, verify so many at a time (1; on a cluster, one for each of its CPUs).",
)
@option(
    "--on",
    metavar="ray://HOST:PORT",
    group=WHAT,
    help="Verify many files on a Ray cluster (crossload[ray]); ray alone is the cluster that this machine is part of.",
)
@option(
    "--in",
    "wall",
    type=click.Choice(["docker", "bubblewrap"]),
    group=WHAT,
    help="Run every worker behind a wall: no network, nobody's rights, no file but the artifact. docker: in containers of the images that "
    "`crossload runtimes build` makes. bubblewrap: in namespaces of this kernel.",
)
@option(
    "--untrusted", is_flag=True, group=WHAT, help="For a model that nobody trusts: behind the wall that this machine has, or not at all."
)
@options.tolerance
@options.accept_unproved
@option(
    "--agreement",
    type=click.Choice(["identical", "ulp", "close", "decision"]),
    default="close",
    show_default=True,
    group=CLOSE,
    help="The level that counts as ok.",
)
@option(
    "--nan",
    type=click.Choice(["same", "forbid"]),
    default="same",
    show_default=True,
    group=CLOSE,
    help="same: NaN exactly where the reference has it. forbid: no NaN at all.",
)
@options.requests
@option(
    "--fresh",
    type=click.IntRange(0, 1000),
    default=0,
    metavar="N",
    group=WHAT,
    help="Also verify N new requests for a bundle, answered by its reference first: recorded answers can be replayed. --seed repeats them.",
)
@options.loader
@options.arena
@options.keras
@options.op_libraries
@options.limits
@option("--json", "json_file", type=options.WRITTEN, metavar="FILE", group=OUTPUT, help="Write the report as JSON.")
@option("--junit", "junit_file", type=options.WRITTEN, metavar="FILE", group=OUTPUT, help="Write the report as JUnit XML.")
@option("--verbose", "-v", is_flag=True, group=OUTPUT, help="Print a line for each result.")
@option("--quiet", "-q", is_flag=True, hidden=True, help="The default: print the matrix and the failures.")
def command(
    paths: tuple[Path, ...],
    earlier: tuple[Path, ...],
    resume: Path | None,
    jobs: int | None,
    on: str | None,
    json_file: Path | None,
    junit_file: Path | None,
    verbose: bool,
    **given: Any,
) -> None:
    """Verify a bundle, or a bare artifact (the reference then records its answers first).

    Runs every vector in every runtime that takes the artifact, and compares each answer with the recorded one.

    Several paths, a folder of artifacts, a pattern, or a list on standard input (-) are verified in one run: workers live across all of
    them, and one report has a row for each.
    """
    from rich.console import Console

    from crossload.cli import many
    from crossload.verbs.verify.verify import verify_plan

    report_file = _report_among(earlier)
    given["earlier"] = () if report_file else earlier
    plan, words = _repeated(paths, report_file) if report_file else (_plan(paths[0] if paths else None, given), paths)
    if resume or on or (words and many.means_many(words)):
        report = many.verify(words, plan, jobs, on, resume, json_file, verbose)
        finish(report, json_file or resume, junit_file)
        many.forget(json_file or resume)
        sys.exit(report.exit_status)
    progress = Console(stderr=True, highlight=False, soft_wrap=True)
    with _watched(progress, verbose) as on_result:
        report = verify_plan(plan, progress=options.shown(progress), on_result=on_result)
    finish(report, json_file, junit_file)
    sys.exit(report.exit_status)


def finish(report: Report, json_file: Path | None, junit_file: Path | None) -> None:
    """Write the report's files and show the matrix."""

    from crossload.report import matrix
    from crossload.support import files

    try:
        with ExitStack() as written:  # one that cannot be written does not cost the other
            if junit_file:
                from crossload.report import junit

                written.callback(files.write_text, junit_file, junit.to_junit(report))
            if json_file:
                written.callback(files.write_text, json_file, report.to_json())
    finally:  # a full disk must not hide the results
        matrix.show(report, options.output())


def to_plan(arguments: Sequence[str]) -> Plan:
    """The plan for arguments of `crossload verify`; raises CrossloadError and click's UsageError."""
    given = command.make_context("verify", list(arguments)).params
    return _plan(given["paths"][0] if given["paths"] else None, given)


def _plan(path: Path | None, given: dict[str, Any]) -> Plan:
    from crossload.compare.tolerance import parse
    from crossload.verbs.verify.plan import Plan

    if path is None:
        raise CrossloadError(
            "name a bundle or an artifact: crossload verify PATH; or an earlier report: crossload verify --from REPORT.json"
        )
    return Plan(
        path=str(path),
        runtimes=listed(given["runtimes"]),
        artifacts=given["artifacts"] or None,
        signatures=given["signatures"] or None,
        vectors=given["vectors"] or None,
        requests=options.to_requests(given),
        tolerance=parse(given["tolerance"]),
        agreement=given["agreement"],
        nan=given["nan"],
        limits=options.to_limits(given),
        load_options=options.load_options(given),
        configuration=os.environ.get("CROSSLOAD_CONFIG") or None,
        fresh=given["fresh"],
        wall=_wall(given["wall"], given["untrusted"]),
        accept_unproved=given["accept_unproved"],
        devices=tuple(map(str, given["earlier"])),
    )


def _wall(named: Wall | None, untrusted: bool) -> Wall | None:
    if named or not untrusted:
        return named
    from crossload.runtimes import walls

    wall = walls.standing()
    click.echo(f"untrusted: every worker runs behind the wall of {wall} (--in {wall})", err=True)
    return wall


def _report_among(files: tuple[Path, ...]) -> Path | None:
    """The report among the files of --from; None if they are answers of devices. Raises CrossloadError for more than one report."""
    if not files:
        return None
    from crossload.contract.device import is_device_file

    if missing := next((path for path in files if not path.exists()), None):
        written = "`crossload verify BUNDLE --json FILE` writes a report, the program of a handoff to C its answers"
        raise CrossloadError(f"--from {missing} does not exist; {written}")
    reports = [path for path in files if not is_device_file(path)]
    if reports and len(files) > 1:
        raise CrossloadError("--from takes one report, or the answers of devices; name the report alone")
    return reports[0] if reports else None


def _repeated(paths: tuple[Path, ...], earlier: Path) -> tuple[Plan, tuple[Path, ...]]:
    """The plan of an earlier run, for the cases that failed in it; of a run over many files, the files in which something failed."""
    from crossload.cli import many
    from crossload.report.results import Report

    if paths or said() - {"earlier", "json_file", "junit_file", "verbose", "quiet"}:
        raise CrossloadError(
            "--from repeats an earlier run with its own options; leave out the path and every option but --json, --junit and -v"
        )
    report = Report.read(earlier)
    failed = [r.case for r in report.results if r.failed]
    if not failed:
        raise CrossloadError(f"nothing failed in {earlier}; `crossload verify {report.bundle}` runs everything again")
    if not report.arguments:
        raise CrossloadError(f"{earlier} does not hold its run's options; run `crossload verify {report.bundle} --json {earlier}` again")
    plan = to_plan(report.arguments)
    words = command.make_context("verify", list(report.arguments)).params["paths"]
    if many.means_many(words):
        files = tuple(dict.fromkeys(many.file_of(case.artifact) for case in failed))
        return replace(plan, path=str(files[0])), files
    runtimes = tuple(dict.fromkeys(case.runtime for case in failed))
    return replace(plan, runtimes=runtimes, only=frozenset(failed)), ()


@contextmanager
def _watched(console: Console, verbose: bool) -> Iterator[OnResult]:
    """How results appear on the console: one line per result with `verbose`, else running counts on a terminal."""
    from crossload.report import matrix

    if verbose or not console.is_terminal:
        yield lambda result: console.print(matrix.line(result)) if verbose else None
        return
    counts: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    with console.status("running the runtimes") as status:

        def count(result: Result) -> None:
            counts[result.case.runtime] += 1
            failures[result.case.runtime] += result.failed
            said = (f"{name} {n}{f' ({failures[name]} failed)' if failures[name] else ''}" for name, n in counts.items())
            status.update(f"results: {matrix.safe(', '.join(said))}")

        yield count
