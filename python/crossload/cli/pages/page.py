"""The text of `show`: what all formats' pages share. One module a format beside this one gives its lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from crossload.contract.datatypes import DATATYPES, for_people
from crossload.support.text import printable

if TYPE_CHECKING:
    from crossload.contract.signatures import Signature, TensorSpec

# types.proto's numbers of types without tensors on the wire, in TensorFlow's words.
_NO_TENSOR = {"DT_0": "unknown type", "DT_11": "qint8", "DT_12": "quint8", "DT_13": "qint32", "DT_15": "qint16", "DT_16": "quint16",
              "DT_20": "resource", "DT_21": "variant"}  # fmt: skip
_MOST = 12
# Ops that read, write, or list files, or run other programs' code (io_ops.cc, dataset_ops.cc, script_ops.cc, lookup_ops.cc, logging).
_FILES = re.compile(
    r"File|^Save|^Restore|MergeV2Checkpoints|Reader|RecordDataset|TextLineDataset|CSVDataset|TextFormat|^Print|PyFunc|Snapshot|CacheDataset"
    r"|SummaryWriter|DebugIdentity|DebugDumpIdentity"
)
_MOST_VALUES = 6


@dataclass(frozen=True)
class Page:
    """Lines of text in the making.

    `everything` leaves nothing out; `canonical` tells of the canonical hash; `unnamed` stands in the place of a tensor without a name.
    """

    everything: bool = False
    canonical: str = ""
    unnamed: str = "(no tensor name)"

    def heading(self, title: str, found: Any) -> Iterator[str]:
        """What every artifact's page begins with."""
        from crossload.support import files

        known = [f"{_producer_title(k)} {v}" for k, v in found.producer.items()]
        # A .tflite may say for whom it was made, and not by whom.
        producer = ", ".join(known if set(found.producer) - {"min_runtime_version"} else ["an unknown version", *known])
        yield f"{strong(title)}  {printable(str(found.path))}"
        yield f"  {files.size_bytes(found.path):,} bytes, sha256 {files.sha256(found.path)}"
        yield from self.canonical_hash()
        yield f"  made by {printable(producer)}"

    def canonical_hash(self) -> Iterator[str]:
        """The hash of graph and weights, which another export of the same model has, too."""
        if self.canonical:
            yield f"  canonical sha256 {printable(self.canonical)}"

    def signature(self, key: str, signature: Signature, reasons: Mapping[str, str] | None = None) -> Iterator[str]:
        method = f"  ({printable(signature.method_name)})" if signature.method_name else ""
        yield f"  {strong('signature')} {strong(printable(key) or '(empty key)')}{method}"
        yield from self.tensors(signature.inputs, signature.outputs, reasons)

    def tensors(
        self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], reasons: Mapping[str, str] | None = None
    ) -> Iterator[str]:
        """A row for each; `reasons` says, by tensor, what a row should say besides."""
        rows = [
            (side, *self._row(t, (reasons or {}).get(str(t.tensor)))) for side, of in (("input", inputs), ("output", outputs)) for t in of
        ]
        yield from columns(rows)
        for side, there in (("inputs", inputs), ("outputs", outputs)):
            if not there:
                yield f"    no {side}"

    def _row(self, tensor: TensorSpec, reason: str | None = None) -> tuple[str, str, str, str, str]:
        where = f"tensor {tensor.tensor}" if isinstance(tensor.tensor, int) else tensor.tensor or self.unnamed
        notes = [reason] if reason else []
        if tensor.default is not None:
            notes.append(f"default {self._values(tensor.default['data'], tensor.default['shape'])}")
        if tensor.quantization is not None:
            notes.append(self.quantisation(tensor.quantization))
        return printable(tensor.name), datatype(tensor.datatype), shape(tensor.shape), printable(where), ", ".join(notes)

    def _values(self, data: list[Any], shape: list[int]) -> str:
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
            most = len(counts) if self.everything else _MOST
            # What touches files is named, however rare it is: who loads the model must know it.
            shown = [name for at, name in enumerate(counts) if at < most or _FILES.search(name)]
            more = f", … {len(counts) - len(shown)} more, --all shows them" if len(shown) < len(counts) else ""
            listed = ", ".join(printable(f"{name} {counts[name]}") for name in shown) + more
            yield f"  {title}: {sum(counts.values())} of {len(counts)} kinds{where}: {listed}"
        else:
            yield f"  {title}: none"

    def some(self, names: Iterable[str]) -> str:
        """The names, or the first of them and how many more there are."""
        found = [printable(n) for n in names]
        most = len(found) if self.everything else _MOST
        return ", ".join(found[:most]) + (f", … {len(found) - most} more, --all shows them" if len(found) > most else "")


def columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """The rows, indented, each column but the last as wide as its longest text."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    for row in rows:
        yield ("    " + "  ".join(text.ljust(width) for text, width in zip(row, (*widths, 0), strict=True))).rstrip()


def shape(shape: Sequence[int] | None) -> str:
    return "unknown rank" if shape is None else f"({', '.join(map(str, shape))}{',' * (len(shape) == 1)})"


def datatype(name: str) -> str:
    """TensorFlow's word; what cannot be fed or fetched says so."""
    if name in DATATYPES:
        return for_people(name)
    return f"{_NO_TENSOR.get(name, name)} (!)" if name == "DT_0" else f"{_NO_TENSOR.get(name, name)} (! no tensor on the wire)"


def _producer_title(key: str) -> str:
    titles = {"tensorflow": "TensorFlow", "keras": "Keras", "graph_def": "graph version", "min_runtime_version": "for TFLite runtimes from"}
    return titles.get(key, key)


def strong(text: str) -> str:
    return click.style(text, bold=True)


def warning(text: str) -> str:
    return click.style(text, fg="yellow")
