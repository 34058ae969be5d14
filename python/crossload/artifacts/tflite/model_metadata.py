"""What an author wrote into a .tflite about the model: purpose, licence, how inputs are normalised (metadata_schema.fbs, "M001")."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crossload.artifacts.tflite import flatbuffer, tflite_file
from crossload.artifacts.tflite.flatbuffer import Field, Fields, FlatbufferError

_NAME, _IDENTIFIER = "TFLITE_METADATA", b"M001"
# The union ProcessUnitOptions, in its order.
_UNITS = (None, "normalisation", "score calibration", "score threshold", "BERT tokenizer", "SentencePiece tokenizer")
_NORMALISATION = 1
_UNIT: Fields = {"kind": Field(0, "B"), "options": Field(1, "slots")}
_FILE: Fields = {"name": Field(0, "string")}
_TENSOR: Fields = {
    "name": Field(0, "string"),
    "description": Field(1, "string"),
    "units": Field(4, _UNIT, vector=True),
    "stats": Field(5, {"max": Field(0, "f", vector=True), "min": Field(1, "f", vector=True)}),
    "files": Field(6, _FILE, vector=True),
}
_SUBGRAPH: Fields = {
    "inputs": Field(2, _TENSOR, vector=True),
    "outputs": Field(3, _TENSOR, vector=True),
    "files": Field(4, _FILE, vector=True),
    "input_units": Field(5, _UNIT, vector=True),
    "output_units": Field(6, _UNIT, vector=True),
}
_MODEL: Fields = {
    "name": Field(0, "string"),
    "description": Field(1, "string"),
    "version": Field(2, "string"),
    "subgraphs": Field(3, _SUBGRAPH, vector=True),
    "author": Field(4, "string"),
    "license": Field(5, "string"),
    "files": Field(6, _FILE, vector=True),
    "min_parser_version": Field(7, "string"),
}
_FACTS = ("name", "version", "author", "license", "description", "min_parser_version")


@dataclass(frozen=True)
class TensorNotes:
    """What the author says of an input or output: name, description, value range, the steps before or after it, its packed files."""

    name: str
    description: str = ""
    range: str = ""
    steps: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """An element of `inputs` or `outputs` of `model_metadata` in `show --json`."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in vars(self).items() if v}


@dataclass(frozen=True)
class ModelMetadata:
    """The author's statements: `facts` by name (version, author, licence, …), and notes on the first subgraph's tensors in its order."""

    facts: dict[str, str]
    inputs: tuple[TensorNotes, ...]
    outputs: tuple[TensorNotes, ...]

    def to_json(self) -> dict[str, Any]:
        """`model_metadata` in `show --json`."""
        sides = {"inputs": [t.to_json() for t in self.inputs], "outputs": [t.to_json() for t in self.outputs]}
        return {**self.facts, **{side: notes for side, notes in sides.items() if notes}}


def read(path: Path) -> ModelMetadata | None:
    """The author's statements in the .tflite at `path`; None where it has none. Raises FlatbufferError for damaged ones."""
    with tflite_file.mapped(path) as data:
        extent = tflite_file.metadata_extent(data, _NAME)
        content = bytes(data[extent[0] : sum(extent)]) if extent else b""
    if not content:
        return None
    if content[4:8] != _IDENTIFIER:
        raise FlatbufferError(f"its {_NAME} is no flatbuffer of the identifier {_IDENTIFIER.decode()}")
    found = flatbuffer.decode(content, _MODEL)
    subgraph = next(iter(found["subgraphs"]), None) or dict.fromkeys(_SUBGRAPH, ())
    facts = {name: found[name] for name in _FACTS if found[name]}
    if files := [f["name"] or "" for f in (*found["files"], *subgraph["files"])]:
        facts["files"] = ", ".join(files)
    for side in ("input", "output"):
        if steps := tuple(_steps(content, subgraph[f"{side}_units"])):
            facts[f"{side} steps"] = ", ".join(steps)
    inputs, outputs = (tuple(_notes(content, tensor) for tensor in subgraph[side]) for side in ("inputs", "outputs"))
    return ModelMetadata(facts, inputs, outputs)


def _notes(content: bytes, tensor: dict[str, Any]) -> TensorNotes:
    stats = tensor["stats"] or {"min": [], "max": []}
    span = f"{_listed(stats['min'])} to {_listed(stats['max'])}" if stats["min"] and stats["max"] else ""
    files = tuple(f["name"] or "" for f in tensor["files"])
    return TensorNotes(tensor["name"] or "", tensor["description"] or "", span, tuple(_steps(content, tensor["units"])), files)


def _steps(content: bytes, units: list[dict[str, Any]]) -> Iterator[str]:
    for unit in units:
        kind, slots = unit["kind"], unit["options"] or {}
        if kind == _NORMALISATION:
            mean, deviation = (_floats(content, slots, number) for number in (0, 1))
            yield f"(x - {_listed(mean) or 0}) / {_listed(deviation) or 1}"
        elif 0 < kind < len(_UNITS):
            yield str(_UNITS[kind])


def _floats(content: bytes, slots: dict[int, tuple[int, int]], number: int) -> list[float]:
    return flatbuffer.numbers(content, slots[number][0], "f") if number in slots else []


def _listed(values: list[float]) -> str:
    """One number, or one for each channel."""
    return f"{values[0]:g}" if len(values) == 1 else f"[{', '.join(f'{v:g}' for v in values)}]" if values else ""
