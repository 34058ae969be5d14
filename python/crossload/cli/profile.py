"""`crossload profile`: what a model costs in each runtime, as a table, a plot and JSON."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from crossload.cli import figures, options
from crossload.cli.framework import LIMITS, OUTPUT, Command, listed, option
from crossload.errors import CrossloadError
from crossload.support.quantities import count, seconds, size

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console

    from crossload.report.plot import Panel
    from crossload.verbs.profile.costs import Cost, Ratio
    from crossload.verbs.profile.profile import Profile

_Value = TypeVar("_Value", int, float)
_MOST_LAYERS = 12
_EXPLAINED = (
    "after warm-up; the runtime's own call, where it times that · ×: against the first row, median and middle half of the turns · "
    "memory: what the model adds to its worker by the first call · peak: the worker's most"
)
_WATCHED = "the means of runs that a profiler watched, which slows them; what has no place is a delegate's, perhaps for several layers"


@click.command(
    name="profile",
    cls=Command,
    examples=[
        "profile model.tflite",
        "profile digits/ --runtime litert,tflite-micro --artifact tflite --artifact tflite:int8",
        "profile saved_model/ --runtime 'tensorflow,tensorflow-java@*' --threads 1,4",
        "profile digits/ --json costs.json --plot costs.svg",
    ],
    exit_status="0 everything was measured, 1 a runtime failed, 2 input that cannot be used, 3 nothing was measured.",
)
@click.argument("path", type=click.Path(path_type=Path))
@options.runtimes
@options.artifacts
@figures.one_signature
@options.tags
@options.one_request
@option(
    "--threads",
    metavar="N,N",
    group=LIMITS,
    help="The numbers of threads to compute with, where a runtime takes one. Default: 1, and one for each processor.",
)
@figures.duration("How long to call each model.")
@options.loader
@options.keras
@options.op_libraries
@options.limits
@option(
    "--layers",
    is_flag=True,
    group=OUTPUT,
    help=f"Print every layer of every .tflite and every operator's time, not only the first {_MOST_LAYERS} of the first artifact.",
)
@figures.files
def command(
    path: Path,
    runtimes: tuple[str, ...],
    artifacts: tuple[str, ...],
    signature: str | None,
    tags: str | None,
    threads: str | None,
    duration: float,
    layers: bool,
    json_file: Path | None,
    plot_file: Path | None,
    **given: Any,
) -> None:
    """Measure what PATH (a bundle or an artifact) costs in each runtime that takes it.

    Load, first call, latency and calls a second after a warm-up, memory of the worker, with TensorFlow Lite Micro the smallest arena that
    works (found by trying), the multiplications and bytes of each layer of a .tflite, and the time of each operator where the runtime tells
    it (litert, tensorflow).

    Every model gets one request: the first recorded one, or yours (--input-file). All workers live at once and are called in turns, so
    that a ratio compares what was measured side by side. How steady the machine was is printed with the figures.
    """
    from rich.console import Console

    from crossload.verbs.profile.profile import profile

    progress = Console(stderr=True, highlight=False, soft_wrap=True)
    found = profile(
        path,
        listed(runtimes),
        artifacts=artifacts or None,
        signature=signature,
        tags=options.to_tags(tags),
        threads=_numbers(threads),
        seconds=duration,
        requests=options.to_one_request(given),
        limits=options.to_limits(given),
        load_options=options.load_options(given),
        progress=options.shown(progress),
    )
    _print(found, options.output(), every_layer=layers)
    figures.written(found.to_json(), json_file, lambda: plotted(found), plot_file)
    sys.exit(found.exit_status)


def _numbers(text: str | None) -> list[int] | None:
    """`1,4` of --threads; raises CrossloadError."""
    if text is None:
        return None
    if not all(part.strip().isdigit() and 1 <= int(part) <= 1024 for part in text.split(",")):
        raise CrossloadError(f"--threads {text!r}: write numbers from 1 on, such as 1,4")
    return [int(part) for part in text.split(",")]


def _print(found: Profile, console: Console, *, every_layer: bool) -> None:

    from crossload.report.matrix import safe

    for artifact, request in found.requests.items():
        console.print(f"[bold]{safe(artifact)}[/] {safe(request)}", soft_wrap=True)
    console.print(f"in {safe(', '.join(dict.fromkeys(c.runtime for c in found.costs)))}", soft_wrap=True)
    columns = [
        ("artifact", [safe(c.artifact) for c in found.costs]),
        ("runtime", [safe(_short(c.runtime, found)) for c in found.costs]),
        ("threads", [str(c.threads or "") for c in found.costs]),
        ("start", [seconds(c.start) for c in found.costs]),
        ("load", [seconds(c.load) for c in found.costs]),
        ("first call", [seconds(c.first_call) for c in found.costs]),
        *((name, [seconds(_latency(c, name)) for c in found.costs]) for name in ("p50", "p90", "p99")),
        ("×", [_ratio(c.ratio) for c in found.costs]),
        ("calls/s", [count(c.throughput) for c in found.costs]),
        ("memory", [f"+{size(c.memory.added)}" if c.memory else "" for c in found.costs]),
        ("peak", [size(c.memory.peak) if c.memory else "" for c in found.costs]),
        ("arena", [size(c.arena) for c in found.costs]),
    ]
    console.print(figures.table(columns, ("artifact", "runtime")))
    console.print(f"[dim]{_EXPLAINED}[/]", soft_wrap=True)
    for cost in found.costs:
        for said in filter(None, (cost.error and f"{cost.outcome}: {cost.error}", cost.note)):
            console.print(f"[yellow]{safe(f'{cost.artifact} in {cost.runtime}')}[/] {safe(said)}", soft_wrap=True)
    if any(c.timed_by != "runtime" and c.turns for c in found.costs):
        named = ", ".join(dict.fromkeys(c.runtime for c in found.costs if c.timed_by != "runtime"))
        console.print(f"[yellow]note[/] timed with the way to the worker and back: {safe(named)}", soft_wrap=True)
    if any(c.arena for c in found.costs):
        console.print("[yellow]note[/] the arena was measured on this 64-bit processor; pointers of a 32-bit one take half", soft_wrap=True)
    if found.left_out:
        console.print(f"[yellow]note[/] no chosen runtime takes {safe(', '.join(found.left_out))}", soft_wrap=True)
    console.print(f"[yellow]note[/] {options.noise(found.noise)}", soft_wrap=True)
    _print_layers(found, console, every_layer=every_layer)
    _print_operators(found, console, every_layer=every_layer)


def _print_layers(found: Profile, console: Console, *, every_layer: bool) -> None:
    from crossload.report.matrix import safe

    for at, (artifact, layers) in enumerate(found.layers.items()):
        total, weights = sum(x.macs for x in layers), sum(x.weight_bytes for x in layers)
        said = f"{len(layers)} layers, {count(total)} multiply-accumulates, {size(weights)} of constants"
        console.print(f"[bold]{safe(artifact)}[/] {said}", soft_wrap=True)
        if at and not every_layer:
            continue
        ranked = sorted(layers, key=lambda x: (-x.macs, -x.weight_bytes - x.activation_bytes))
        shown = layers if every_layer else ranked[:_MOST_LAYERS]
        columns = [
            ("layer", [safe(_short_name(x.name)) for x in shown]),
            ("operator", [x.op for x in shown]),
            ("MACs", [count(x.macs) if x.macs else "" for x in shown]),
            ("share", [_share(x.macs, total) for x in shown]),
            ("constants", [size(x.weight_bytes or None) for x in shown]),
            ("activations", [size(x.activation_bytes) for x in shown]),
        ]
        _print_most(console, columns, len(layers), "work")
    if any(layer.op in ("WHILE", "IF") for layers in found.layers.values() for layer in layers):
        uncounted = "what a WHILE or an IF runs is not counted: how often that is, the file does not tell"
        console.print(f"[yellow]note[/] {uncounted}", soft_wrap=True)


def _print_operators(found: Profile, console: Console, *, every_layer: bool) -> None:
    """The time of each operator in the first runtime that tells it, or in all."""
    from crossload.report.matrix import safe

    watched = [cost for cost in found.costs if cost.operators]
    for cost in watched if every_layer else watched[:1]:
        layers, total = found.layers.get(cost.artifact, []), sum(o.seconds for o in cost.operators)
        threads = f", threads: {cost.threads}" if cost.threads else ""
        said = f"in {safe(cost.runtime)}{threads}: {len(cost.operators)} operators, {seconds(total)}"
        console.print(f"[bold]{safe(cost.artifact)}[/] {said}", soft_wrap=True)
        shown = cost.operators if every_layer else sorted(cost.operators, key=lambda o: -o.seconds)[:_MOST_LAYERS]
        columns = [
            ("operator", [safe(o.name) for o in shown]),
            ("place", [safe(_short_name(layers[o.at].name if isinstance(o.at, int) and o.at < len(layers) else o.at)) for o in shown]),
            ("time", [seconds(o.seconds) for o in shown]),
            ("share", [_share(o.seconds, total) for o in shown]),
        ]
        _print_most(console, columns, len(cost.operators), "time")
    if watched:
        console.print(f"[dim]{_WATCHED}[/]", soft_wrap=True)
    if silent := sorted({c.runtime for c in found.costs if c.outcome == "ok" and not c.operators}):
        console.print(f"[yellow]note[/] of these runtimes, {safe(', '.join(silent))} tell no time by operator", soft_wrap=True)


def _print_most(console: Console, columns: Sequence[tuple[str, Sequence[str]]], total: int, measure: str) -> None:
    console.print(figures.table(columns, (columns[0][0], columns[1][0])))
    if (more := total - len(columns[0][1])) > 0:
        console.print(f"[dim]… and {more} more with less {measure}; --layers prints all[/]")


def _short_name(name: str | int | None) -> str:
    """The end of a layer's or a node's name; a fused layer has several, of which the first one tells."""
    return "" if name is None else str(name).split(";")[0][-60:]


def _share(part: float, total: float) -> str:
    return f"{100 * part / total:.0f} %" if total and part else ""


def _short(runtime: str, found: Profile) -> str:
    """A runtime's name, with its release where two of the same name are in the table."""
    name = runtime.partition("@")[0]
    return name if {c.runtime for c in found.costs if c.runtime.partition("@")[0] == name} == {runtime} else runtime


def _ratio(ratio: Ratio | None) -> str:
    if ratio is None:
        return ""
    if ratio.low == ratio.high == 1:
        return "1"
    return f"{ratio.median:.2g} ({ratio.low:.2g}–{ratio.high:.2g})"


def plotted(found: Profile) -> str:
    """The plot of the measured costs."""
    from crossload.report.plot import bars

    costs = [c for c in found.costs if c.latency]
    rows = [f"{c.artifact} · {_short(c.runtime, found)}{f' · {c.threads}' if c.threads else ''}" for c in costs]
    panels = [
        _panel("load", [c.load for c in costs], seconds),
        _panel("first call", [c.first_call for c in costs], seconds),
        *(_panel(name, [_latency(c, name) for c in costs], seconds) for name in ("p50", "p99")),
        _panel("memory added", [c.memory.added if c.memory else None for c in costs], size),
    ]
    if any(c.arena for c in costs):
        panels.append(_panel("arena", [c.arena for c in costs], size))
    return bars(f"crossload profile {Path(found.path).name}", rows, panels, options.noise(found.noise))


def _latency(cost: Cost, name: str) -> float | None:
    return getattr(cost.latency, name) if cost.latency else None


def _panel(title: str, values: Sequence[_Value | None], said: Callable[[_Value | None], str]) -> Panel:
    from crossload.report.plot import Panel

    return Panel(title, values, [said(v) for v in values])
