"""`crossload convert`: one artifact becomes another, proved on the same vectors."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import click

from crossload.cli import options
from crossload.errors import CrossloadError


def _saver_options(function: Any) -> Any:
    for option in (
        click.option("--name", "checkpoint_name", metavar="NAME", help="What the checkpoint's files are called (model.ckpt)."),
        click.option("--global-step", metavar="N|VARIABLE", help="The step in the checkpoint's name."),
        click.option("--max-to-keep", type=click.IntRange(0), help="How many checkpoints stay in the folder (5; 0: all)."),
        click.option("--keep-every-n-hours", type=float, help="One of each so many hours stays for ever."),
        click.option("--pad-step-number", is_flag=True, help="Steps of eight digits, so that names sort."),
        click.option("--sharded", is_flag=True, help="One file of values a device."),
        click.option("--absolute-paths", is_flag=True, help="In the state file; without it, it can be moved."),
        click.option("--without-graph", is_flag=True, help="Leave out the .meta (needs --no-verify)."),
        click.option(
            "--checkpoint-format", type=click.Choice(["v1", "v2", "object"]), help="v2; object: as tf.train.Checkpoint (no graph)."
        ),
        click.option("--variable", "variables", multiple=True, metavar="NAME[=NEW]", help="Save these alone, under new names; repeatable."),
    ):
        function = option(function)
    return function


@click.command(
    name="convert",
    epilog=options.examples(
        "convert saved_model/ frozen.pb",
        "convert old.h5 model.tflite",
        "convert unknown.pb named.pb --output-tensor probabilities=Softmax:0",
        "convert model.ckpt-100 models/digits --to saved_model --version-directory",
        "convert two_tags/ serving/ --tags serve",
        "convert saved_model/ old/ --for tensorflow-java-legacy@1.15.0",
        "convert digits/ digits-everywhere/ --for 'tensorflow-java@*' --for tensorflow-java-legacy",
    ),
)
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("destination", type=click.Path(path_type=Path))
@click.option(
    "--to", metavar="FORMAT", help="saved_model, graph_def, tflite, keras, keras_h5, checkpoint or tensorboard; or what the suffix means."
)
@click.option("--tags", metavar="A,B", help="Which MetaGraph of a SavedModel.")
@click.option("--to-tags", metavar="A,B", help="The tags of the SavedModel that is written (serve).")
@click.option("--signature", "-s", "signatures", multiple=True, metavar="NAME", help="Which signatures; repeatable. Without it: all.")
@options.tensors
@click.option("--optimize", is_flag=True, help="graph_def: fold what training needed. tflite: the converter's default optimisation.")
@click.option("--quantize", type=click.Choice(["float16", "dynamic", "int8"]), help="For tflite; int8 needs --representative.")
@click.option(
    "--representative", type=click.Path(path_type=Path), metavar="FILE.npz|FOLDER", help="Inputs by name, to measure ranges with."
)
@click.option("--allow-flex", is_flag=True, help="Leave TensorFlow's own ops in a .tflite, which no plain interpreter runs.")
@click.option("--allow-custom-ops", is_flag=True, help="Leave ops in a .tflite that need kernels of your own.")
@click.option("--keep-variables", metavar="A,B", help="graph_def: variables that are not frozen (needs --no-verify).")
@options.keras
@click.option("--weights", type=click.Path(path_type=Path), metavar="FILE", help="Keras files: take the weights from this file.")
@click.option("--by-name", is_flag=True, help="With --weights: where names fit; what does not is said.")
@click.option("--warm-up", is_flag=True, help="SavedModel: put the compared requests into it, for Serving to run before it serves.")
@click.option("--version-directory", is_flag=True, help="Write DESTINATION/N, the next free version, as Serving reads it.")
@click.option(
    "--for", "runs_in", multiple=True, metavar="RUNTIME", help="Repair it until it runs there (NAME[@VERSION] or a pattern); repeatable."
)
@click.option("--with", "runtime", default="tensorflow", show_default=True, metavar="RUNTIME", help="The TensorFlow that loads the source.")
@click.option("--tolerance", multiple=True, metavar="NAME:rtol=1e-4,atol=1e-5", help="For a datatype or an output; repeatable.")
@click.option("--no-verify", is_flag=True, help="Do not compare the answers; the manifest says so.")
@click.option("--overwrite", is_flag=True, help="Replace what is there.")
@_saver_options
@options.wishes
@options.limits
def command(
    source: Path,
    destination: Path,
    to: str | None,
    signatures: tuple[str, ...],
    no_verify: bool,
    overwrite: bool,
    runtime: str,
    runs_in: tuple[str, ...],
    version_directory: bool,
    warm_up: bool,
    tolerance: tuple[str, ...],
    count: int,
    seed: int,
    npz: tuple[str, ...],
    shapes: tuple[str, ...],
    **given: Any,
) -> None:
    """Convert SOURCE, an artifact of any format, to DESTINATION.

    The way over the known conversions is found and said; source and result then answer the same vectors, and a result that
    disagrees is not written. Beside it lies its manifest, DESTINATION.crossload.json: signature, hash, way, and whether it was verified.

    With --for, what those runtimes do not know is mended where that changes no answer (attributes, ops, signatures, init ops), frozen
    where that is not enough, and proved in each of them. Of a bundle, DESTINATION is a bundle, too: everything SOURCE has, and beside
    each graph that those runtimes do not run, a backport of it.
    """
    from crossload.compare.tolerance import parse
    from crossload.contract.bundle import is_bundle
    from crossload.report import matrix
    from crossload.verbs.convert.convert import Wanted, convert, next_version

    def progress(text: str) -> None:
        click.echo(text, err=True)

    if runs_in and is_bundle(source):
        _backport(source, destination, runs_in, runtime, overwrite, given, progress)
        return

    wishes = options.to_wishes(count, seed, npz, shapes)
    wanted = Wanted(
        tags=_list(given["tags"]),
        signatures=signatures or None,
        inputs=given["input_tensors"] or None,
        outputs=given["output_tensors"] or None,
        options=_edge_options(given, wishes.shapes),
    )
    if version_directory:
        destination = next_version(destination)
    made = convert(
        source,
        destination,
        to,
        wanted=wanted,
        verified=not no_verify,
        warm_up=warm_up,
        overwrite=overwrite,
        runtime=runtime,
        wishes=wishes,
        tolerance=parse(tolerance),
        limits=options.to_limits(given),
        runs_in=runs_in,
        progress=progress,
    )
    if made.report:
        results = [r for r in made.report.results if r.agreement]
        agreed = f"{len(results)} answers of {len(made.artifact.bindings)} signature(s) agree: {matrix.closeness(results)}"
        click.echo(f"{made.path}: {made.format}; {agreed}")
    else:
        click.echo(f"{made.path}: {made.format}; {'a graph to look at' if made.format == 'tensorboard' else 'not verified'}")
    following = "tensorboard --logdir" if made.format == "tensorboard" else "crossload show"
    click.echo(f"next: {following} {made.path}")


def _backport(
    source: Path, destination: Path, runs_in: tuple[str, ...], runtime: str, overwrite: bool, given: dict[str, Any], progress: Any
) -> None:
    """A whole bundle for these runtimes. Its answers are recorded and its formats stay: what else could be said is refused."""
    from crossload.verbs.convert.backport import backport_bundle

    context = click.get_current_context()
    said = [p for p in context.params if context.get_parameter_source(p) is click.core.ParameterSource.COMMANDLINE]
    takes = ("source", "destination", "runs_in", "runtime", "overwrite", "time_limit", "memory_limit")
    if strange := [p for p in context.command.params if p.name in said and p.name not in takes]:
        raise CrossloadError(f"{source} is a bundle, whose formats, signatures and answers stay: leave {strange[0].opts[0]} out")
    limits = options.to_limits(given)
    _, added = backport_bundle(source, destination, runs_in, overwrite=overwrite, limits=limits, runtime=runtime, progress=progress)
    for artifact in added:
        proved = ", ".join((artifact.made and artifact.made.runtimes) or ())
        click.echo(f"{destination / artifact.path}: {artifact.format}; its answers agree in {proved}")
    if not added:
        click.echo(f"{destination}: nothing had to be repaired")
    click.echo(f"next: crossload verify {destination} --runtimes {shlex.quote(','.join(runs_in))}")


def _list(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(t.strip() for t in text.split(",") if t.strip())


def _edge_options(given: dict[str, Any], shapes: Any) -> dict[str, Any]:
    """The options of the edges, by their own names; what was not said is left out."""
    step = given["global_step"]
    named = {
        "to_tags": _list(given["to_tags"]),
        "keep_variables": _list(given["keep_variables"]),
        "shapes": {n: list(s) for n, s in shapes.items()},
        "name": given["checkpoint_name"],
        "global_step": int(step) if step and step.isdecimal() else step,
        "format": given["checkpoint_format"],
        "without_graph": given["without_graph"] or given["checkpoint_format"] == "object",
        "variables": _renamed(given["variables"]),
        **{k: str(given[k]) for k in ("representative", "weights") if given[k]},
        **options.load_options(given),
    }
    plain = ("optimize", "quantize", "allow_flex", "allow_custom_ops", "by_name", "max_to_keep", "keep_every_n_hours",
             "pad_step_number", "sharded", "absolute_paths")  # fmt: skip
    found = {**named, **{k: given[k] for k in plain}}
    return {k: v for k, v in found.items() if (v is not None and v is not False)}


def _renamed(variables: tuple[str, ...]) -> dict[str, str] | None:
    found = {}
    for text in variables:
        match = re.fullmatch(r"([^=]+)(?:=([^=]+))?", text)
        if not match:
            raise CrossloadError(f"--variable {text!r}: write NAME, or NAME=NEW")
        found[match[1]] = match[2] or match[1]
    return found or None
