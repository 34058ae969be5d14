"""`crossload convert`: convert an artifact, or many, to another format and compare both on the same vectors."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crossload.cli import options
from crossload.cli.framework import CHECKPOINTS, CLOSE, CONVERSION, EDITS, LOADING, WHAT, Command, listed, option, said, stacked
from crossload.errors import CrossloadError
from crossload.support.text import printable

if TYPE_CHECKING:
    from crossload.verbs.convert.keep_float import Search

_saver = stacked(
    option("--name", "checkpoint_name", metavar="NAME", group=CHECKPOINTS, help="The name of the checkpoint's files (model.ckpt)."),
    option("--global-step", metavar="N|VARIABLE", group=CHECKPOINTS, help="The step in the checkpoint's name."),
    option("--max-to-keep", type=click.IntRange(0), group=CHECKPOINTS, help="How many checkpoints to keep in the folder (5; 0: all)."),
    option("--keep-every-n-hours", type=float, group=CHECKPOINTS, help="Keep one checkpoint per N hours permanently."),
    option("--pad-step-number", is_flag=True, group=CHECKPOINTS, help="Write steps with eight digits, so that names sort."),
    option("--sharded", is_flag=True, group=CHECKPOINTS, help="Write one file of values per device."),
    option(
        "--absolute-paths",
        is_flag=True,
        group=CHECKPOINTS,
        help="Write absolute paths into the state file; the folder can then no longer be moved.",
    ),
    option("--without-graph", is_flag=True, group=CHECKPOINTS, help="Leave out the .meta (needs --no-verify)."),
    option(
        "--checkpoint-format",
        type=click.Choice(["v1", "v2", "object"]),
        group=CHECKPOINTS,
        help="v2 is the default; object: as tf.train.Checkpoint (no graph).",
    ),
    option(
        "--variable",
        "variables",
        multiple=True,
        metavar="NAME[=NEW]",
        group=CHECKPOINTS,
        help="Save only these variables, under new names; repeatable.",
    ),
)
_edits = stacked(
    option("--strip", is_flag=True, group=EDITS, help="Drop operators, tensors, buffers and subgraphs that no output needs."),
    option("--strip-names", is_flag=True, group=EDITS, help="Drop the names of inner tensors."),
    option(
        "--set-metadata",
        multiple=True,
        metavar="NAME=FILE",
        group=EDITS,
        help="Set the metadata NAME to the file's bytes; repeatable.",
    ),
    option("--drop-metadata", multiple=True, metavar="NAME", group=EDITS, help="Drop the metadata NAME; repeatable."),
    option("--description", metavar="TEXT", group=EDITS, help="Set the file's description."),
)


@click.command(
    name="convert",
    cls=Command,
    examples=[
        "convert saved_model/ frozen.pb",
        "convert old.h5 model.tflite",
        "convert phone.tflite restored.pb",
        "convert unknown.pb named.pb --output-tensor probabilities=Softmax:0",
        "convert model.ckpt-100 models/digits --to saved_model --version-directory",
        "convert two_tags/ serving/ --tags serve",
        "convert digits/ digits-everywhere/ --runtime 'tensorflow-java@*,tensorflow-java-legacy'",
        "convert model/ serving/ --signature serving_default=image_quality",
        "convert unsigned.tflite signed.tflite --add-signature serving_default --input-tensor pixels=0",
        "convert model.tflite embedding.tflite --output-tensor embedding=dense_1/Relu",
        "convert model.tflite small.tflite --strip --strip-names",
        "convert models/ 'more/*.h5' -o lite/ --to tflite",
    ],
    exit_status="0 written and verified, 1 the result answers differently (nothing is written), 2 input that cannot be used. "
    "Of many files: the highest status of any.",
    old={"for": "runtime", "with": "load-with", "vectors": "count", "inputs": "input-file"},
)
@click.argument("paths", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="SOURCE DESTINATION | SOURCE|-... -o FOLDER")
@option(
    "--output",
    "-o",
    "folder",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    group=WHAT,
    help="Convert many sources (paths, folders, patterns, - for a list on standard input) into this folder; needs --to.",
)
@option("--resume", is_flag=True, group=WHAT, help="With -o: go on with an earlier run; unchanged results are kept.")
@options.tags
@option(
    "--signature",
    "-s",
    "signatures",
    multiple=True,
    metavar="[NEW=]NAME",
    group=WHAT,
    help="Only this signature, renamed to NEW; repeatable.",
)
@option("--drop-signature", "dropped", multiple=True, metavar="NAME", group=WHAT, help="All signatures but this one; repeatable.")
@option(
    "--sign",
    "functions",
    multiple=True,
    metavar="[KEY=]FUNCTION",
    group=WHAT,
    help="Make a function of a SavedModel's objects a signature, called KEY (else as the function); repeatable.",
)
@option(
    "--add-signature",
    metavar="KEY",
    group=WHAT,
    help="A .tflite: keep its signatures and add KEY, which takes and gives the tensors of --input-tensor and --output-tensor (else all).",
)
@options.tensors
@options.pins
@option(
    "--to",
    metavar="FORMAT",
    group=CONVERSION,
    help="saved_model, graph_def, tflite, keras, keras_h5, checkpoint or tensorboard; default: from the suffix.",
)
@option(
    "--runtime",
    "-r",
    "runtimes",
    multiple=True,
    metavar=options.RUNTIME,
    group=CONVERSION,
    help="Repair the result until it runs in this runtime (a name or a pattern); repeatable, or separated by commas.",
)
@option("--to-tags", metavar="A,B", group=CONVERSION, help="The tag set of the written SavedModel (serve).")
@option(
    "--optimize",
    is_flag=True,
    group=CONVERSION,
    help="graph_def: fold batch norms and drop training nodes. tflite: the converter's default optimisation.",
)
@option(
    "--quantize",
    type=click.Choice(["float16", "dynamic", "int8", "16x8"]),
    group=CONVERSION,
    help="tflite: float16 or 8-bit (dynamic) weights; 8-bit weights with 8- or 16-bit activations (int8, 16x8: need --representative).",
)
@option(
    "--representative",
    type=click.Path(path_type=Path, exists=True),
    metavar="FILE.npz|FOLDER",
    group=CONVERSION,
    help="tflite: inputs by name, from which int8 ranges are measured.",
)
@option(
    "--inference-type",
    type=click.Choice(["float32", "int8", "uint8", "int16"]),
    group=CONVERSION,
    help="tflite: the datatype of a quantised model's inputs and outputs (float32); int16 goes with --quantize 16x8.",
)
@option("--per-tensor", is_flag=True, group=CONVERSION, help="tflite: one scale for a layer's weights, not one per channel.")
@option(
    "--keep-float",
    multiple=True,
    metavar="LAYER",
    group=CONVERSION,
    help="tflite, int8: leave the ops of this layer in float (a part of their names); repeatable. auto: rank the layers by the noise that "
    "they bring, and leave the fewest in float that meet the bounds; a conversion for each.",
)
@options.quality
@option("--allow-flex", is_flag=True, group=CONVERSION, help="tflite: keep Select TF (Flex) ops; a plain interpreter does not run them.")
@option("--allow-custom-ops", is_flag=True, group=CONVERSION, help="tflite: keep ops that need your own kernels.")
@option("--keep-variables", metavar="A,B", group=CONVERSION, help="graph_def: variables to leave unfrozen (needs --no-verify).")
@option("--warm-up", is_flag=True, group=CONVERSION, help="SavedModel: add the compared requests as TensorFlow Serving's warm-up.")
@option("--version-directory", is_flag=True, group=CONVERSION, help="Write DESTINATION/N, the next free version, for TensorFlow Serving.")
@options.load_with
@options.keras
@options.op_libraries
@option("--weights", type=click.Path(path_type=Path), metavar="FILE", group=LOADING, help="Keras files: take the weights from this file.")
@option("--by-name", is_flag=True, group=LOADING, help="With --weights: match layers by name; list those that do not match.")
@options.tolerance
@options.accept_unproved
@option("--no-verify", is_flag=True, group=CLOSE, help="Do not compare the answers; the manifest records that.")
@options.requests
@_edits
@_saver
@options.limits
@option("--overwrite", is_flag=True, help="Replace an existing destination.")
def command(
    paths: tuple[Path, ...],
    folder: Path | None,
    resume: bool,
    to: str | None,
    signatures: tuple[str, ...],
    no_verify: bool,
    overwrite: bool,
    load_with: str,
    runtimes: tuple[str, ...],
    version_directory: bool,
    warm_up: bool,
    tolerance: tuple[str, ...],
    **given: Any,
) -> None:
    """Convert SOURCE, an artifact of any format, to DESTINATION.

    Finds a conversion path, prints it, and checks that source and result give the same answers; a result that disagrees is not
    written. The manifest beside it, DESTINATION.crossload.json, records signature, hash, path, and whether it was verified.

    With --runtime, the result is repaired for those runtimes (attributes, ops, signatures, init ops; no repair changes an answer),
    frozen if repairs are not enough, and verified in each of them. If SOURCE is a bundle, DESTINATION is a bundle too: everything in
    SOURCE, plus a backport of each graph that those runtimes do not run.

    A .tflite becomes an edited .tflite: --output-tensor and --input-tensor cut it at any of its tensors, --shape (without -1) gives an
    input another batch, --strip and the other edits write the file anew.

    With -o, many sources are converted in one run, each to a file in FOLDER that is named after its source. One that fails does not keep
    the others; FOLDER/conversions.jsonl has a line for each.
    """
    from crossload.compare.tolerance import parse
    from crossload.contract.bundle import is_bundle
    from crossload.report import matrix
    from crossload.verbs.convert.convert import convert, next_version

    def progress(text: str) -> None:
        click.echo(text, err=True)

    names = listed(runtimes) or ()
    if folder is None and (len(paths) != 2 or resume):
        raise CrossloadError(
            "name one source and its destination: crossload convert SOURCE DESTINATION; or many sources, with -o FOLDER and --to"
        )
    source, destination = paths[0], paths[-1]
    if folder is None and names and is_bundle(source):
        _backport(source, destination, names, load_with, overwrite, given, progress)
        return

    requests = options.to_requests(given)
    terms: dict[str, Any] = {
        "tags": options.to_tags(given["tags"]),
        "signatures": signatures or None,
        "inputs": given["input_tensors"] or None,
        "outputs": given["output_tensors"] or None,
        "options": _edge_options(given, requests.shapes),
        "runtimes": names,
        "load_with": load_with,
        "verified": not no_verify,
        "warm_up": warm_up,
        "overwrite": overwrite,
        "requests": requests,
        "tolerance": parse(tolerance),
        "limits": options.to_limits(given),
        "accept_unproved": given["accept_unproved"],
        "quality": options.to_quality(given),
    }
    if folder is not None:
        from crossload.cli import convert_many

        if to is None:
            raise CrossloadError("name the format of the results with --to; crossload convert --help lists the formats")
        sys.exit(convert_many.run(paths, folder, to, resume=resume, version_directory=version_directory, **terms))
    if version_directory:
        destination = next_version(destination)
    made = convert(source, destination, to, progress=progress, **terms)
    if made.report:
        results = [r for r in made.report.results if r.agreement]
        agreed = f"{len(results)} answers of {len({r.case.signature for r in results})} signature(s) agree: {matrix.closeness(results)}"
        click.echo(f"{made.path}: {made.format}; {agreed}")
        if made.search:
            _show_search(made.search)
        if made.artifact.quality:
            options.show_quality(made.artifact.quality, terms["quality"].bounds)
        for caution in made.report.cautions:
            click.echo(f"note: {matrix.safe(caution)}")
    else:
        click.echo(f"{made.path}: {made.format}; {'a graph to view' if made.format == 'tensorboard' else 'not verified'}")
    following = "tensorboard --logdir" if made.format == "tensorboard" else "crossload show"
    click.echo(f"next: {following} {made.path}")


def _show_search(found: Search) -> None:
    """Print the layers, the noisiest first, and the options that leave the same ones in float without a search."""
    rows = [(r.layer, r.op, f"{100 * (1 - r.noise / found.noise):.0f} %" if found.noise else "") for r in found.ranked]
    width, op_width = (max((len(row[at]) for row in rows), default=0) for at in (0, 1))
    click.echo("of the noise, what goes when this layer alone stays in float:")
    for layer, op, share in rows:
        click.echo(printable(f"  {layer:<{width}}  {op:<{op_width}}  {share:>6}{'  in float' if layer in found.kept else ''}"))
    if found.kept:
        click.echo(printable(f"the same without a search: {shlex.join(part for k in found.kept for part in ('--keep-float', k))}"))
    else:
        click.echo("all layers in int8 meet the bounds; --bound states others")


def _backport(
    source: Path, destination: Path, names: tuple[str, ...], load_with: str, overwrite: bool, given: dict[str, Any], progress: Any
) -> None:
    """Backport a bundle for these runtimes. It keeps its recorded answers and formats, so other options are errors."""
    from crossload.verbs.convert.backport import backport_bundle

    context = click.get_current_context()
    spoken = said()
    takes = ("paths", "runtimes", "load_with", "overwrite", "time_limit", "memory_limit")
    if strange := [p for p in context.command.params if p.name in spoken and p.name not in takes]:
        raise CrossloadError(
            f"{source} is a bundle, and a bundle keeps its formats, signatures and answers: leave out {strange[0].opts[0]}"
        )
    limits = options.to_limits(given)
    _, added = backport_bundle(source, destination, names, overwrite=overwrite, limits=limits, load_with=load_with, progress=progress)
    for artifact in added:
        proved = ", ".join((artifact.made and artifact.made.runtimes) or ())
        click.echo(f"{destination / artifact.path}: {artifact.format}; its answers agree in {proved}")
    if not added:
        click.echo(f"{destination}: no repair needed")
    click.echo(f"next: crossload verify {destination} --runtime {shlex.quote(','.join(names))}")


def _edge_options(given: dict[str, Any], shapes: Any) -> dict[str, Any]:
    """The options of the edges, by their own names, without those that were not given."""
    step = given["global_step"]
    named = {
        "to_tags": listed(given["to_tags"]),
        "drop_signatures": list(given["dropped"]) or None,
        "sign": list(given["functions"]) or None,
        "add_signature": given["add_signature"],
        "pinned": options.to_pinned(given["pins"]) or None,
        "keep_variables": listed(given["keep_variables"]),
        "shapes": {n: list(s) for n, s in shapes.items()},
        "name": given["checkpoint_name"],
        "global_step": int(step) if step and step.isdecimal() else step,
        "format": given["checkpoint_format"],
        "without_graph": given["without_graph"] or given["checkpoint_format"] == "object",
        "variables": _renamed(given["variables"]),
        **{k: str(given[k]) for k in ("representative", "weights") if given[k]},
        "keep_float": list(given["keep_float"]) or None,
        "set_metadata": _metadata(given["set_metadata"]) or None,
        "drop_metadata": list(given["drop_metadata"]) or None,
        **options.load_options(given),
    }
    plain = ("strip", "strip_names", "description",
             "optimize", "quantize", "inference_type", "per_tensor", "allow_flex", "allow_custom_ops", "by_name", "max_to_keep",
             "keep_every_n_hours",
             "pad_step_number", "sharded", "absolute_paths")  # fmt: skip
    found = {**named, **{k: given[k] for k in plain}}
    return {k: v for k, v in found.items() if (v is not None and v is not False)}


def _metadata(texts: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, _, file = text.partition("=")
        if not name or not file:
            raise CrossloadError(f"--set-metadata {text!r}: write NAME=FILE")
        if name in found:
            raise CrossloadError(f"--set-metadata: {name!r} is given twice, as {found[name]} and as {file}; leave one out")
        found[name] = file
    return found


def _renamed(variables: tuple[str, ...]) -> dict[str, str] | None:
    found = {}
    for text in variables:
        match = re.fullmatch(r"([^=]+)(?:=([^=]+))?", text)
        if not match:
            raise CrossloadError(f"--variable {text!r}: write NAME, or NAME=NEW")
        found[match[1]] = match[2] or match[1]
    return found or None
