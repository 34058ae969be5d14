"""`crossload export`: write a model as a bundle of artifacts, manifest and recorded answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from crossload.cli import options
from crossload.cli.framework import CONVERSION, LOADING, REQUESTS, Command, listed, option


@click.command(
    name="export",
    cls=Command,
    examples=[
        "export train.py:model -o digits",
        "export model.keras -o digits --formats saved_model,tflite",
        "export saved_model/ -o bundle --input-file real.npz",
        "export build.py:graph -o digits --weights model.ckpt-100",
    ],
    exit_status="0 written and verified, 1 an artifact answers differently (nothing is written), 2 input that cannot be used.",
    old={"with": "load-with", "vectors": "count", "inputs": "input-file"},
)
@click.argument("source")
@option("--output", "-o", required=True, type=click.Path(path_type=Path, file_okay=False), metavar="BUNDLE", help="The folder to write.")
@option("--overwrite", is_flag=True, help="Replace an existing bundle.")
@option("--name", help="The model's name in the manifest; default: the folder's.")
@option(
    "--formats",
    metavar="A,B",
    group=CONVERSION,
    help="saved_model, graph_def, tflite, and quantised variants: tflite:float16, :dynamic, :int8, :16x8. Default: the first three; a "
    "format that cannot hold the model is left out.",
)
@option(
    "--representative",
    type=click.Path(path_type=Path, exists=True),
    metavar="FILE.npz|FOLDER",
    group=CONVERSION,
    help="Variants: inputs by name, from which ranges are measured (default: the example inputs that file.py:function returns).",
)
@options.quality
@option("--warm-up", is_flag=True, group=CONVERSION, help="Add the recorded requests to the SavedModel as TensorFlow Serving's warm-up.")
@option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="FILE",
    group=LOADING,
    help="A checkpoint or a Keras file with the values for the model that SOURCE builds.",
)
@option(
    "--by-name", is_flag=True, group=LOADING, help="With --weights of a Keras file: match layers by name; list those that do not match."
)
@options.pins
@options.load_with
@options.keras
@options.op_libraries
@options.tolerance
@options.accept_unproved
@options.requests
@option(
    "--faults",
    type=click.IntRange(0, 10_000),
    default=200,
    show_default=True,
    group=REQUESTS,
    help="Seed at most so many faults into the graph, record how many the vectors detect, add requests that detect more. 0: none.",
)
@options.limits
def command(
    source: str,
    output: Path,
    formats: str | None,
    name: str | None,
    overwrite: bool,
    warm_up: bool,
    weights: Path | None,
    by_name: bool,
    tolerance: tuple[str, ...],
    load_with: str,
    faults: int,
    **given: Any,
) -> None:
    """Export SOURCE as a bundle.

    SOURCE is an artifact of any format, or file.py:function. The function returns a Keras model, a tf.Module, a TensorFlow 1 graph
    as a dict of its inputs and outputs, or an Estimator with its serving_input_receiver_fn; to add a dict of example inputs, return
    a tuple. A file with a PEP 723 header runs in the environment that the header declares.
    """
    from crossload.compare.tolerance import parse
    from crossload.support.files import size_bytes
    from crossload.verbs.export.export import export
    from crossload.verbs.verify.cautions import of_strength
    from crossload.verbs.verify.record import left_out_requests

    quality = options.to_quality(given)
    bundle = export(
        source,
        output,
        formats=listed(formats),
        requests=replace(options.to_requests(given), faults=faults),
        tolerance=parse(tolerance),
        name=name,
        overwrite=overwrite,
        warm_up=warm_up,
        weights=weights,
        by_name=by_name,
        pinned=options.to_pinned(given["pins"]),
        load_options=options.load_options(given),
        load_with=load_with,
        limits=options.to_limits(given),
        accept_unproved=given["accept_unproved"],
        representative=given["representative"],
        quality=quality,
        progress=lambda text: click.echo(text, err=True),
    )
    manifest = bundle.manifest
    vectors = sum(v.count for v in manifest.vectors)
    dropped = sum(len(v.left_out) for v in manifest.vectors)
    said = f"{vectors} vectors, all verified" + (f"; {dropped} requests are left out" if dropped else "")
    click.echo(f"{output}: {', '.join(a.id for a in manifest.artifacts)}; {len(manifest.signatures)} signature(s), {said}")
    for artifact in (a for a in manifest.artifacts if a.quality):
        click.echo(f"{artifact.id}: {size_bytes(bundle.path(artifact)):,} bytes")
        options.show_quality(artifact.quality, quality.bounds)
    for sentence in of_strength(manifest.vectors):
        click.echo(sentence)
    for reason in dict.fromkeys(v.strength.not_measured for v in manifest.vectors if v.strength and v.strength.not_measured):
        click.echo(f"what the vectors see was not measured: {reason}")
    for sentence in left_out_requests(manifest.vectors):
        click.echo(f"note: {sentence}")
    for recorded in manifest.vectors:
        if recorded.state:
            click.echo(f"note: {recorded.signature}: {recorded.state}, so its vectors are one sequence")
    for left in manifest.left_out:
        click.echo(f"left out: {left.id}: {left.reason}")
    click.echo(f"next: crossload verify {output}")
