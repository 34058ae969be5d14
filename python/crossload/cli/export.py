"""`crossload export`: write a model as a bundle of artifacts, manifest and recorded answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from crossload.cli import options
from crossload.cli.framework import CONVERSION, LOADING, REQUESTS, WHAT, Command, listed, option, said
from crossload.errors import CrossloadError


@click.command(
    name="export",
    cls=Command,
    examples=[
        "export train.py:model -o digits",
        "export model.keras -o digits --formats saved_model,tflite",
        "export saved_model/ -o bundle --input-file real.npz",
        "export build.py:graph -o digits --weights model.ckpt-100",
        "export digits/ --add from_the_phone.tflite -o digits-and-phone",
    ],
    exit_status="0 written and verified, 1 an artifact answers differently (nothing is written), 2 input that cannot be used.",
    old={"with": "load-with", "vectors": "count", "inputs": "input-file"},
)
@click.argument("source")
@option("--output", "-o", required=True, type=click.Path(path_type=Path, file_okay=False), metavar="BUNDLE", help="The folder to write.")
@option("--overwrite", is_flag=True, help="Replace an existing bundle.")
@option(
    "--add",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE.tflite",
    group=WHAT,
    help="SOURCE is a bundle: write it with this .tflite as one more artifact, bound by names, datatypes and shapes.",
)
@option("--signature", "-s", metavar="NAME", group=WHAT, help="With --add: the signature that the file answers.")
@options.tensors
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
    add: Path | None,
    **given: Any,
) -> None:
    """Export SOURCE as a bundle.

    SOURCE is an artifact of any format, or file.py:function. The function returns a Keras model, a tf.Module, a TensorFlow 1 graph
    as a dict of its inputs and outputs, or an Estimator with its serving_input_receiver_fn; to add a dict of example inputs, return
    a tuple. A file with a PEP 723 header runs in the environment that the header declares.

    With --add, SOURCE is a bundle, and the result is that bundle with a finished .tflite, which its recorded answers then judge. Names
    that the file does not tell apart are listed; --input-tensor NAME=TENSOR and --output-tensor choose, by a tensor's name or index.
    """
    if add is not None:
        _add(source, add, output, overwrite, given)
        return
    if given["signature"] or given["input_tensors"] or given["output_tensors"]:
        raise CrossloadError("--signature, --input-tensor and --output-tensor go with --add FILE.tflite; `crossload convert` names tensors")
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


def _add(source: str, file: Path, output: Path, overwrite: bool, given: dict[str, Any]) -> None:
    """Write a bundle with one more .tflite; it keeps everything else, so other options are errors."""
    from crossload.artifacts.select import named_tensor
    from crossload.support.text import printable
    from crossload.verbs.export.added import add

    takes = {"source", "add", "output", "overwrite", "signature", "input_tensors", "output_tensors"}
    if strange := [p for p in click.get_current_context().command.params if p.name in said() - takes]:
        raise CrossloadError(f"--add keeps everything else in the bundle as it is: leave out {strange[0].opts[0]}")
    sides = [dict(map(named_tensor, given[side])) for side in ("input_tensors", "output_tensors")]
    _, entry, matches = add(source, file, output, signature=given["signature"], inputs=sides[0], outputs=sides[1], overwrite=overwrite)
    told = {"chosen": "as chosen", "name": "by its name", "shape": "the only one of its datatype and shape"}
    (name,) = entry.bindings
    click.echo(printable(f"{output}: {entry.id} answers {name}{'' if matches else ', by its own SignatureDef'}"))
    for found in matches:
        click.echo(printable(f"  {found.side} {found.name}: tensor {found.tensor}, {told[found.how]}"))
    click.echo(printable(f"next: crossload verify {output} --artifact {entry.id}"))
