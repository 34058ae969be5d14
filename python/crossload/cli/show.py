"""`crossload show`: what an artifact is, for people or as JSON."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from crossload.cli import many, options
from crossload.cli.framework import WHAT, Command, option
from crossload.contract.datatypes import for_people
from crossload.errors import ArtifactError, CrossloadError
from crossload.support.text import printable
from crossload.verbs.show.show import show

if TYPE_CHECKING:
    from crossload.artifacts.checkpoints.checkpoint import Checkpoint


@click.command(
    name="show",
    cls=Command,
    examples=[
        "show saved_model/",
        "show digits/",
        "show frozen_graph.pb --nodes '*Softmax*'",
        "show model.tflite --json | jq .signatures",
        "show model.tflite --graph",
        "show models/ 'more/*.pb'",
    ],
    exit_status="0 shown, 2 a path that is not an artifact, or one that cannot be read (of many files: at least one).",
)
@options.paths
@option("--tensor", metavar="NAME", group=WHAT, help="Print the value of this variable of a checkpoint.")
@option(
    "--nodes",
    metavar="[PATTERN]",
    is_flag=False,
    flag_value="*",
    group=WHAT,
    help="List a graph's nodes: all, or those whose name or op matches; a pattern without * or ? matches a part of the name.",
)
@option("--graph", is_flag=True, group=WHAT, help="Draw the graph of a .tflite: an operator a line, values as lanes.")
@option(
    "--extract",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    group=WHAT,
    help="Write the files packed with a .tflite (labels, vocabularies) into a new folder.",
)
@option("--hash", "with_hash", is_flag=True, group=WHAT, help="Compute the canonical hash of graph and weights, whatever their size.")
@option(
    "--model-explorer",
    type=options.WRITTEN,
    metavar="FILE.json",
    help="Write a .tflite's graph for Model Explorer (`model-explorer FILE.json`).",
)
@option(
    "--errors",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="REPORT.json",
    help="With --model-explorer: also write a report's errors (verify --json, diagnose --json) to FILE.errors.json, as node data.",
)
@option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text; of many files, a line of JSON for each.")
@option(
    "--all", "everything", is_flag=True, help="Leave nothing out of the text: every op, value, file and entry; of many files, each page."
)
def command(
    paths: tuple[Path, ...],
    as_json: bool,
    everything: bool,
    nodes: str | None = None,
    with_hash: bool = False,
    tensor: str | None = None,
    **tflite: Any,
) -> None:
    """Describe a bundle, a SavedModel, a GraphDef (.pb, .pbtxt), a .meta, a .tflite, a Keras file or a checkpoint.

    The format is recognised by content. The file is parsed, never executed, and TensorFlow is not needed.

    Several paths, a folder of artifacts, a pattern, or a list on standard input (-) are a table with a row for each artifact.
    """
    if any(tflite.values()):
        from crossload.cli import show_tflite

        if len(paths) != 1:
            raise CrossloadError(f"--{show_tflite.first(tflite)} shows one .tflite; name one")
        click.echo(many.readable(paths[0], lambda path: show_tflite.text(path, **tflite)))
        return
    if not many.means_many(paths):
        click.echo(many.readable(paths[0], lambda path: _text(path, as_json, everything, with_hash, nodes, tensor)))
        return
    if tensor is not None or nodes is not None:
        raise CrossloadError(f"{'--tensor' if nodes is None else '--nodes'} shows a part of one artifact; name one")

    def page(path: Path) -> str:
        return many.readable(path, lambda p: _text(p, as_json, everything, with_hash, indent=None))

    sys.exit(_show_many(many.files_of(paths, "show"), page if as_json or everything else None, as_json, with_hash))


def _show_many(files: Sequence[str], page: Callable[[Path], str] | None, as_json: bool, with_hash: bool) -> int:
    """Show each file by its page, or as a row; one that cannot be read does not keep the others. Returns the exit status."""
    from crossload.cli.pages import row

    status, rows = 0, [row.heading(with_hash)]
    for file in many.counted(files):
        try:
            if page:
                click.echo(page(Path(file)))
            else:
                found = many.readable(Path(file), show)
                rows.append(row.cells(found, _canonical(found, found.format != "bundle", False)[1] if with_hash else None))
        except CrossloadError as error:
            status = error.exit_status
            if as_json:
                click.echo(json.dumps({"path": file, "error": str(error)}))
            elif page:
                click.echo(printable(str(error)))
            else:
                rows.append(row.unreadable(file, str(error), with_hash))
    if not page:
        click.echo(many.table(rows))
    return status


def _text(
    path: Path,
    as_json: bool,
    everything: bool,
    with_hash: bool,
    nodes: str | None = None,
    tensor: str | None = None,
    indent: int | None = 1,
) -> str:
    """What `show` prints of one path; raises CrossloadError."""
    from crossload.cli.pages.page import Page

    found = show(path)
    if tensor is not None:
        if found.format != "checkpoint":
            from crossload.artifacts.content import in_words

            raise ArtifactError(f"{path} is {in_words(found.format)}, and --tensor reads values only from checkpoints; leave it out")
        return _value(cast("Checkpoint", found), tensor, as_json, everything)
    if nodes is not None:
        from crossload.cli.pages import nodes as listing

        return listing.text(found, nodes, as_json)
    if as_json:
        more = {} if found.format == "bundle" else {"canonical_sha256": _canonical(found, with_hash, as_json)[0]}
        if found.format == "tflite":
            from crossload.verbs.show.tflite_details import details

            more |= details(path).to_json()
        return json.dumps(found.to_json() | more, indent=indent, allow_nan=False)
    page = import_module(f"crossload.cli.pages.{found.format}")
    in_bundle = Page(everything, unnamed="")
    return "\n".join(
        page.lines(found, in_bundle if found.format == "bundle" else Page(everything, _canonical(found, with_hash, as_json)[1]))
    )


def _canonical(found: Any, asked: bool, as_json: bool) -> tuple[str | None, str]:
    """The canonical hash or None, and the page's text about it; raises ArtifactError if `asked` and it cannot be computed."""
    from crossload.artifacts.canonical import cost

    if found.format not in cost.FORMATS and not asked:
        return None, ""
    if not asked and cost.size_bytes(found) > cost.MOST_BYTES:
        return None, f"not computed above {cost.MOST_BYTES >> 20} MiB; --hash computes it"
    if not asked and cost.nodes(found) > cost.MOST_NODES:
        return None, f"not computed above {cost.MOST_NODES:,} nodes; --hash computes it"
    if not asked and not as_json and cost.reads_values(found):
        return None, "--hash computes it"
    from crossload.artifacts.canonical import canonical_hash

    try:
        digest = canonical_hash.sha256(found)
    except ArtifactError as error:
        if asked:
            raise
        return None, f"cannot be computed ({error})"
    return digest, digest


def _value(found: Checkpoint, name: str, as_json: bool, everything: bool) -> str:
    """A tensor's value as text, or as `{"name", "datatype", "shape", "data": [flat values]}`."""
    import numpy as np

    from crossload.contract import datatypes

    array = found.tensor(name)
    datatype = datatypes.of_array(array)
    if not as_json:
        whole = array.size + 1 if everything else 1000
        value = np.array2string(array, threshold=whole, max_line_width=120, separator=", ")
        return f"{printable(name)}: {for_people(datatype)} {list(array.shape)}\n{value}"
    data = [_json_value(v) for v in array.reshape(-1).tolist()]
    return json.dumps({"name": name, "datatype": datatype, "shape": list(array.shape), "data": data}, allow_nan=False)


def _json_value(value: Any) -> Any:
    """A value for JSON: non-finite numbers as words, complex ones as [real, imaginary], bytes as text with surrogate escapes."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, complex):
        return [_json_value(value.real), _json_value(value.imag)]
    if isinstance(value, (bool, int)):
        return value
    number = float(value)  # an ml_dtypes scalar is not a Python float
    return number if math.isfinite(number) else "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"
