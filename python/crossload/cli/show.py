"""`crossload show`: what an artifact is, for people or as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crossload.cli.options import examples
from crossload.contract.datatypes import DATATYPES, for_people
from crossload.errors import ArtifactError
from crossload.text import printable

if TYPE_CHECKING:
    from crossload.artifacts.checkpoint import Checkpoint, Variable
    from crossload.artifacts.graph_def import GraphDef
    from crossload.artifacts.saved_model import MetaGraph, SavedModel
    from crossload.artifacts.tflite import TFLite
    from crossload.contract.signatures import Signature, TensorSpec

_TITLES = {"saved_model": "SavedModel", "graph_def": "GraphDef", "tflite": "TFLite", "checkpoint": "Checkpoint"}
# types.proto's numbers of types without tensors on the wire, in TensorFlow's words.
_NO_TENSOR = {"DT_0": "unknown type", "DT_11": "qint8", "DT_12": "quint8", "DT_13": "qint32", "DT_15": "qint16", "DT_16": "quint16",
              "DT_20": "resource", "DT_21": "variant"}  # fmt: skip
_MOST = 12
_MOST_VALUES = 6
_MOST_VARIABLES = 40


@click.command(
    name="show",
    epilog=examples(
        "show saved_model/", "show frozen_graph.pb --all", "show model.tflite --json | jq .signatures", "show ckpt-1 --tensor global_step"
    ),
)
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.option("--all", "everything", is_flag=True, help="Leave nothing out of the text: every op, value, file and entry.")
@click.option("--tensor", metavar="NAME", help="Print the value of this variable of a checkpoint.")
def command(path: Path, as_json: bool, everything: bool, tensor: str | None = None) -> None:
    """Describe PATH: a SavedModel folder, a GraphDef (.pb, .pbtxt), a .tflite or a checkpoint (its prefix, index or folder).

    The format is recognised by content. The file is parsed, never executed, and TensorFlow is not needed.
    """
    from crossload import artifacts

    try:
        found = artifacts.read(path)
        if tensor is not None:
            if found.format != "checkpoint":
                raise ArtifactError(f"{path} is a {found.format}, and --tensor reads values of checkpoints only; leave it out")
            text = _value(found, tensor, as_json, everything)
        elif as_json:
            text = json.dumps(found.to_json(), indent=1, allow_nan=False)
        else:
            text = "\n".join(_Page(everything).describe(found))
    except OSError as error:
        raise ArtifactError(f"{error.filename or path} cannot be read: {error.strerror}; check its permissions and its disk") from error
    click.echo(text)


class _Page:
    """The text's lines; `everything` leaves nothing out."""

    def __init__(self, everything: bool) -> None:
        self.everything = everything

    def describe(self, found: SavedModel | GraphDef | TFLite | Checkpoint) -> Iterator[str]:
        from crossload import files

        if found.format == "checkpoint":
            yield from self.checkpoint(found)
            return
        producer = ", ".join(f"{_producer_title(k)} {v}" for k, v in found.producer.items()) or "an unknown version"
        yield f"{_strong(_TITLES[found.format])}  {printable(str(found.path))}"
        yield f"  {files.size_bytes(found.path):,} bytes, sha256 {files.sha256(found.path)}"
        yield f"  made by {printable(producer)}"
        if found.format == "saved_model":
            yield from self.saved_model(found)
        elif found.format == "graph_def":
            yield from self.graph_def(found)
        else:
            yield from self.tflite(found)

    def saved_model(self, found: SavedModel) -> Iterator[str]:
        if found.missing_files:
            yield _warning(f"  incomplete: {self.some(found.missing_files)} missing; copy the whole folder again")
        yield f"  variables: {self.some(found.variables) or 'none'}"
        yield f"  assets: {self.some(found.assets) or 'none'}"
        for meta_graph in found.meta_graphs:
            yield ""
            yield f"{_strong('MetaGraph')}  tags: {self.some(meta_graph.tags) or '(none: the empty tag set)'}"
            yield from self.meta_graph(meta_graph)

    def meta_graph(self, found: MetaGraph) -> Iterator[str]:
        version = f"TensorFlow {found.tensorflow_version or '(not stated)'}"
        git = f" ({found.tensorflow_git_version})" if found.tensorflow_git_version else ""
        stripped = ", attributes at their defaults left out" if found.stripped_default_attrs else ""
        yield f"  {printable(version + git)}, graph version {found.graph_producer}{stripped}"
        for key, signature in found.signatures.items():
            yield from self.signature(key, signature)
        if not found.signatures:
            yield "  no signatures that can be called"
        for key, operation in found.init_ops.items():
            yield f"  operation to run, not to call: {printable(key)} = {printable(operation) or '(none)'}"
        yield from self.ops("ops", found.ops, f" in the graph and its {found.functions} functions" if found.functions else "")
        if found.collections:
            yield f"  collections: {self.some(f'{name} ({count})' for name, count in found.collections.items())}"

    def graph_def(self, found: GraphDef) -> Iterator[str]:
        if found.versions.get("min_consumer"):
            yield f"  needs a TensorFlow that reads graph version {found.versions['min_consumer']}"
        needed = {t.name for t in found.signature().inputs} if found.outputs else set()
        unused = [t for t in found.inputs if t.name not in needed]
        yield ""
        yield (
            _strong("Candidates")
            + "  a graph names no inputs and outputs; these are its placeholders and what nothing takes, likeliest first"
        )
        yield from self.tensors([t for t in found.inputs if t.name in needed], found.outputs)
        if unused:
            yield f"  placeholders that no output depends on: {self.some(t.name for t in unused)}"
        yield from self.ops("ops", found.ops, f" in the graph and its {len(found.functions)} functions" if found.functions else "")
        if found.functions:
            yield f"  functions: {self.some(found.functions)}"

    def tflite(self, found: TFLite) -> Iterator[str]:
        outside = f", {found.external_bytes:,} bytes of them outside the flatbuffer" if found.external_bytes else ""
        yield f"  schema version {found.version}, {found.buffers} buffers{outside}"
        if found.description:
            yield f"  description: {printable(found.description)}"
        for entry in found.metadata:
            yield f"  metadata: {printable(entry.name)} = {printable(entry.text) if entry.text else f'({entry.size_bytes:,} bytes)'}"
        for graph in found.subgraphs if len(found.subgraphs) > 1 else ():
            yield f"  subgraph: {printable(graph.name) or '(without a name)'}, {graph.operators} operators, {graph.tensors} tensors"
        yield ""
        for key, signature in found.signatures.items():
            yield from self.signature(key, signature)
        if not found.signatures:
            yield _strong("Tensors") + "  the file has no signature; inputs and outputs are known by their index"
            yield from self.tensors(found.inputs, found.outputs)
        yield from self.ops("builtin ops", found.ops["builtin"])
        for kind, need in (("flex", "need TensorFlow's kernels, which no plain interpreter has"), ("custom", "need kernels of their own")):
            if found.ops[kind]:
                yield _warning(f"  {kind.capitalize()} ops {need}:")
                yield from self.ops(f"{kind} ops", found.ops[kind])

    def checkpoint(self, found: Checkpoint) -> Iterator[str]:
        yield f"{_strong(_TITLES[found.format])}  {printable(str(found.prefix))}"
        yield f"  {found.size_bytes:,} bytes in the index and {len(found.shards)} of data"
        if found.missing_files:
            yield _warning(f"  incomplete: {self.some(found.missing_files)} missing; copy all files of the checkpoint")
        if found.object_graph:
            yield f"  with the graph of the Python objects that were saved, {found.object_graph.size:,} bytes"
        yield ""
        yield f"{_strong('Variables')}  {len(found.variables):,}, {sum(v.size for v in found.variables):,} bytes"
        shown = found.variables if self.everything else found.variables[:_MOST_VARIABLES]
        yield from _columns([_variable(v) for v in shown])
        if len(shown) < len(found.variables):
            yield f"    … {len(found.variables) - len(shown)} more, --all shows them"

    def signature(self, key: str, signature: Signature) -> Iterator[str]:
        method = f"  ({printable(signature.method_name)})" if signature.method_name else ""
        yield f"  {_strong('signature')} {_strong(printable(key) or '(empty key)')}{method}"
        yield from self.tensors(signature.inputs, signature.outputs)

    def tensors(self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> Iterator[str]:
        rows = [("input", *self.row(t)) for t in inputs] + [("output", *self.row(t)) for t in outputs]
        yield from _columns(rows)
        for side, there in (("inputs", inputs), ("outputs", outputs)):
            if not there:
                yield f"    no {side}"

    def row(self, tensor: TensorSpec) -> tuple[str, str, str, str, str]:
        where = f"tensor {tensor.tensor}" if isinstance(tensor.tensor, int) else tensor.tensor or "(no tensor name)"
        notes = []
        if tensor.default is not None:
            notes.append(f"default {self.values(tensor.default['data'], tensor.default['shape'])}")
        if tensor.quantization is not None:
            notes.append(self.quantisation(tensor.quantization))
        return printable(tensor.name), _datatype(tensor.datatype), _shape(tensor.shape), printable(where), ", ".join(notes)

    def values(self, data: list[Any], shape: list[int]) -> str:
        if not shape:
            return printable(json.dumps(data[0], ensure_ascii=False))
        most = len(data) if self.everything else _MOST_VALUES
        more = f", … {len(data) - most} more, --all shows them" if len(data) > most else ""
        return f"{printable(', '.join(json.dumps(v, ensure_ascii=False) for v in data[:most]))}{more} as {shape}"

    def quantisation(self, parameters: Mapping[str, Any]) -> str:
        scale, zero_point = parameters["scale"], parameters["zero_point"]
        if len(scale) == 1:
            return f"scale {scale[0]}, zero point {zero_point[0]}"
        return (
            f"{len(scale)} scales on axis {parameters['axis']}: {self.some(map(str, scale))}; zero points {self.some(map(str, zero_point))}"
        )

    def ops(self, title: str, counts: Mapping[str, int], where: str = "") -> Iterator[str]:
        if counts:
            listed = self.some(f"{name} {count}" for name, count in counts.items())
            yield f"  {title}: {sum(counts.values())} of {len(counts)} kinds{where}: {listed}"
        else:
            yield f"  {title}: none"

    def some(self, names: Iterable[str]) -> str:
        """The names, or the first of them and how many more there are."""
        found = [printable(n) for n in names]
        most = len(found) if self.everything else _MOST
        return ", ".join(found[:most]) + (f", … {len(found) - most} more, --all shows them" if len(found) > most else "")


def _columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """The rows, indented, each column but the last as wide as its longest text."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    for row in rows:
        yield ("    " + "  ".join(text.ljust(width) for text, width in zip(row, (*widths, 0), strict=True))).rstrip()


def _variable(found: Variable) -> tuple[str, ...]:
    parts = f"in {len(found.slices)} parts" if found.slices else ""
    return printable(found.name), _datatype(found.datatype), _shape(found.shape), f"{found.size:,} bytes", parts


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
    """Numbers that are not finite are words, complex ones are [real, imaginary], strings are text with surrogate escapes."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, complex):
        return [_json_value(value.real), _json_value(value.imag)]
    if isinstance(value, (bool, int)):
        return value
    number = float(value)  # ml_dtypes' scalars are no floats of Python
    return number if math.isfinite(number) else "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _shape(shape: Sequence[int] | None) -> str:
    return "unknown rank" if shape is None else f"({', '.join(map(str, shape))}{',' * (len(shape) == 1)})"


def _datatype(name: str) -> str:
    """TensorFlow's word; what cannot be fed or fetched says so."""
    if name in DATATYPES:
        return for_people(name)
    return f"{_NO_TENSOR.get(name, name)} (!)" if name == "DT_0" else f"{_NO_TENSOR.get(name, name)} (! no tensor on the wire)"


def _producer_title(key: str) -> str:
    titles = {"tensorflow": "TensorFlow", "graph_def": "graph version", "min_runtime_version": "for TFLite runtimes from"}
    return titles.get(key, key)


def _strong(text: str) -> str:
    return click.style(text, bold=True)


def _warning(text: str) -> str:
    return click.style(text, fg="yellow")
