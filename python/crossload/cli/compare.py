"""`crossload compare`: the variants of a bundle side by side, as a table, a plot and JSON."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crossload.cli import figures, options
from crossload.cli.framework import WHAT, Command, option
from crossload.support.quantities import seconds, size

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from crossload.contract.manifest import Quality
    from crossload.verbs.compare.compare import Comparison, Variant


@click.command(
    name="compare",
    cls=Command,
    examples=[
        "compare digits/",
        "compare digits/ --data held_out.npz --labels digit --plot variants.svg",
        "compare digits/ --artifact tflite --artifact tflite:int8 --bound decisions=0.99 --json variants.json",
    ],
    exit_status="0 every variant answered and meets the bounds, 1 one did not, 2 input that cannot be used.",
)
@click.argument("path", type=click.Path(path_type=Path))
@options.artifacts
@figures.one_signature
@option(
    "--runtime",
    "-r",
    metavar=options.RUNTIME,
    default="litert",
    show_default=True,
    group=WHAT,
    help="The interpreter that runs the .tflite files; the others run in TensorFlow.",
)
@options.quality
@figures.duration("How long to call each model for its latency.")
@options.loader
@options.keras
@options.op_libraries
@options.limits
@figures.files
def command(
    path: Path,
    artifacts: tuple[str, ...],
    signature: str | None,
    runtime: str,
    duration: float,
    json_file: Path | None,
    plot_file: Path | None,
    **given: Any,
) -> None:
    """Compare the artifacts of PATH, a bundle, with its float model: size, accuracy, worst error, latency, arena.

    All artifacts answer the same rows: those of --data, else the bundle's recorded examples or requests. With --labels the table has the
    accuracy, and in any case the share of decisions that are the float model's, the noise (SQNR) and the worst error, in steps of the
    output's scale where it has one. Latency is that of one request and one thread. The arena is the smallest in which TensorFlow Lite
    Micro runs the file.
    """
    from rich.console import Console

    from crossload.verbs.compare.compare import compare_variants

    progress = Console(stderr=True, highlight=False, soft_wrap=True)
    found = compare_variants(
        path,
        artifacts=artifacts or None,
        signature=signature,
        quality=options.to_quality(given),
        runtime=runtime,
        seconds=duration,
        limits=options.to_limits(given),
        load_options=options.load_options(given),
        progress=options.shown(progress),
    )
    _print(found, options.output())
    figures.written(found.to_json(), json_file, lambda: plotted(found), plot_file)
    sys.exit(found.exit_status)


def _print(found: Comparison, console: Console) -> None:

    from crossload.report.matrix import safe

    console.print(f"[bold]{safe(found.path)}[/] {safe(_compared(found))}", soft_wrap=True)
    columns = [
        ("artifact", [safe(v.artifact) for v in found.variants]),
        ("computes in", [v.kind for v in found.variants]),
        ("size", [size(v.size_bytes) for v in found.variants]),
        *((name, [said(v) for v in found.variants]) for name, said in _QUALITY),
        ("p50", [seconds(_p50(v)) for v in found.variants]),
        ("p99", [seconds(v.cost.latency.p99) if v.cost and v.cost.latency else "" for v in found.variants]),
        ("arena", [size(v.arena) or ("–" if v.no_arena else "") for v in found.variants]),
        ("bounds", ["[red]missed[/]" if v.unmet else "[green]met[/]" if v.quality else "" for v in found.variants]),
    ]
    console.print(figures.table(columns, ("artifact", "computes in", "bounds")))
    runtimes = dict.fromkeys(v.runtime for v in found.variants)
    several = " · of several outputs, the worst" if any(len(v.quality) > 1 for v in found.variants) else ""
    console.print(f"[dim]latency in {safe(', '.join(runtimes))}, one thread · steps: of the output's scale{several}[/]", soft_wrap=True)
    console.print(f"[dim]{safe(found.bounds.said())}[/]", soft_wrap=True)
    for variant in found.variants:
        for text in (*variant.unmet, *([f"{variant.outcome}: {variant.error}"] if variant.error else ())):
            console.print(f"[red]{safe(variant.artifact)}[/] {safe(text)}", soft_wrap=True)
    for variant in found.variants:
        if variant.no_arena:
            console.print(f"[yellow]no arena[/] {safe(f'{variant.artifact}: {variant.no_arena}')}", soft_wrap=True)
    console.print(f"[yellow]note[/] {options.noise(found.noise)}", soft_wrap=True)


def _compared(found: Comparison) -> str:
    return f"{found.signature} against {found.reference}, on {found.rows} {'row' if found.rows == 1 else 'rows'} of {found.data}"


def _least(variant: Variant, figure: Callable[[Quality], float | None]) -> float | None:
    return min((v for q in variant.quality if (v := figure(q)) is not None), default=None)


def _share(value: float | None) -> str:
    from crossload.compare.quality import percent

    return percent(value)


def _noise_of(variant: Variant) -> str:
    sqnr = _least(variant, lambda q: q.sqnr)
    return f"{sqnr:.1f} dB" if sqnr is not None else "none" if any(q.max_abs == 0 for q in variant.quality) else ""


def _worst(variant: Variant) -> str:
    worst = max((q for q in variant.quality if q.max_abs is not None), key=lambda q: q.max_abs or 0, default=None)
    if worst is None or worst.max_abs is None:
        return ""
    steps = "" if worst.max_steps is None else f"{worst.max_steps:.1f}" if worst.max_steps < 100 else f"{worst.max_steps:,.0f}"
    return f"{worst.max_abs:.2g}{f' ({steps} steps)' if steps else ''}"


def _p50(variant: Variant) -> float | None:
    return variant.cost.latency.p50 if variant.cost and variant.cost.latency else None


_QUALITY: tuple[tuple[str, Callable[[Variant], str]], ...] = (
    ("accuracy", lambda v: _share(_least(v, lambda q: q.accuracy))),
    ("decisions", lambda v: _share(_least(v, lambda q: q.decisions))),
    ("noise (SQNR)", _noise_of),
    ("worst error", _worst),
)


def plotted(found: Comparison) -> str:
    """The plot of the table."""
    from crossload.report.plot import Panel, bars

    variants = found.variants

    accuracy = [_least(v, lambda q: q.accuracy) for v in variants]
    kept = [_least(v, lambda q: q.decisions) for v in variants]
    shares = ("accuracy", accuracy) if any(a is not None for a in accuracy) else ("decisions kept", kept)
    worst = [max((q.max_abs for q in v.quality if q.max_abs is not None), default=None) for v in variants]
    panels = [
        Panel("size", [float(v.size_bytes) for v in variants], [size(v.size_bytes) for v in variants]),
        Panel(shares[0], shares[1], [_share(s) for s in shares[1]]),
        Panel("worst error", worst, [_worst(v) for v in variants]),
        Panel("latency (p50)", [_p50(v) for v in variants], [seconds(_p50(v)) for v in variants]),
        Panel("arena", [v.arena for v in variants], [size(v.arena) for v in variants]),
    ]
    title = f"crossload compare {Path(found.path).name}: {_compared(found)}"
    return bars(title, [v.artifact for v in variants], [p for p in panels if any(v is not None for v in p.values)])
