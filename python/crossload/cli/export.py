"""`crossload export`: a model becomes a bundle of artifacts, manifest and recorded answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from crossload.cli import options


@click.command(
    name="export",
    epilog=options.examples(
        "export train.py:model -o digits",
        "export model.keras -o digits --formats saved_model,tflite",
        "export saved_model/ -o bundle --inputs real.npz",
        "export build.py:graph -o digits --weights model.ckpt-100",
    ),
)
@click.argument("source")
@click.option("--output", "-o", required=True, type=click.Path(path_type=Path), metavar="BUNDLE", help="The folder to write.")
@click.option(
    "--formats", metavar="A,B", help="saved_model, graph_def, tflite. Without it: all, and those that cannot hold the model are left out."
)
@click.option("--name", help="The model's name in the manifest; by default the folder's.")
@click.option("--overwrite", is_flag=True, help="Replace a bundle that is there already.")
@click.option("--warm-up", is_flag=True, help="Put the recorded requests into the SavedModel, for TensorFlow Serving to begin with.")
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A checkpoint or a Keras file: its values are put into the model that SOURCE builds.",
)
@click.option("--by-name", is_flag=True, help="With --weights of a Keras file: where layers' names fit; what does not is said.")
@click.option(
    "--tolerance", multiple=True, metavar="NAME:rtol=1e-4,atol=1e-5", help="Kept in the manifest, for a datatype or an output; repeatable."
)
@click.option("--with", "runtime", default="tensorflow", show_default=True, metavar="RUNTIME", help="The TensorFlow that loads the source.")
@options.keras
@options.wishes
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
    count: int,
    seed: int,
    npz: tuple[str, ...],
    shapes: tuple[str, ...],
    runtime: str,
    **given: Any,
) -> None:
    """Export SOURCE as a bundle.

    SOURCE is an artifact of any format, or file.py:function, where the function returns a Keras model, a tf.Module, a graph of
    TensorFlow 1 as a dict of its inputs and outputs, or an Estimator and its serving_input_receiver_fn; behind it may stand a dict of
    example inputs. A file with a PEP 723 header runs in the environment that it declares.
    """
    from crossload.compare.tolerance import parse
    from crossload.verbs.export.export import export

    wishes = options.to_wishes(count, seed, npz, shapes)
    bundle = export(
        source,
        output,
        formats=None if formats is None else [f.strip() for f in formats.split(",") if f.strip()],
        vectors=wishes.count,
        seed=wishes.seed,
        inputs=wishes.inputs,
        shapes=wishes.shapes,
        tolerance=parse(tolerance),
        name=name,
        overwrite=overwrite,
        warm_up=warm_up,
        weights=weights,
        by_name=by_name,
        load_options=options.load_options(given),
        runtime=runtime,
        limits=options.to_limits(given),
        progress=lambda text: click.echo(text, err=True),
    )
    manifest = bundle.manifest
    vectors = sum(v.count for v in manifest.vectors)
    click.echo(
        f"{output}: {', '.join(a.id for a in manifest.artifacts)}; {len(manifest.signatures)} signature(s), {vectors} vectors, all verified"
    )
    for left in manifest.left_out:
        click.echo(f"left out: {left.id}: {left.reason}")
    click.echo(f"next: crossload verify {output}")
