"""The options of `crossload show` that take one .tflite: its picture, its packed files, its graph for Model Explorer."""

from __future__ import annotations

import json
from pathlib import Path

from crossload.artifacts.content import in_words
from crossload.errors import ArtifactError, CrossloadError
from crossload.support.files import write_text
from crossload.support.text import printable
from crossload.verbs.show.show import show


def first(given: dict[str, object]) -> str:
    """The first of the options that was given."""
    return next(name for name, value in given.items() if value).replace("_", "-")


def text(path: Path, *, graph: bool, extract: Path | None, model_explorer: Path | None, errors: Path | None) -> str:
    """What the options print; they write what they are asked to. Raises CrossloadError, for a path that is no .tflite too."""
    option = first({"graph": graph, "extract": extract, "model_explorer": model_explorer, "errors": errors})
    found = show(path)
    if found.format != "tflite":
        kind = "a bundle; name one of its artifacts" if found.format == "bundle" else f"{in_words(found.format)}; leave it out"
        raise ArtifactError(f"--{option} takes a .tflite, and {path} is {kind}")
    if errors and not model_explorer:
        raise CrossloadError("--errors colours a graph in Model Explorer; name its file with --model-explorer FILE.json")
    lines: list[str] = []
    drawn: list[str] = []
    if extract:
        from crossload.artifacts.tflite import packed

        lines += [f"{extract / p.name}: {p.size_bytes:,} bytes" for p in packed.extract(path, extract)]
    if graph or model_explorer:
        from crossload.artifacts.tflite import inner
        from crossload.cli.pages import tflite_graph
        from crossload.verbs.show import model_explorer as explorer

        graphs = inner.read_all(path)
        if model_explorer:
            data = explorer.node_data(graphs, path, errors) if errors else None
            write_text(model_explorer, json.dumps(explorer.collection(graphs, path.name), allow_nan=False))
            lines.append(f"{model_explorer}: {sum(len(g.operators) for g in graphs)} operators; next: model-explorer {model_explorer}")
            if data:
                beside = model_explorer.with_suffix(".errors.json")
                write_text(beside, json.dumps(data, allow_nan=False))
                lines.append(f"{beside}: in Model Explorer, add it as per-node data")
        drawn = list(tflite_graph.lines(graphs)) if graph else []
    return "\n".join([*map(printable, lines), *drawn])
