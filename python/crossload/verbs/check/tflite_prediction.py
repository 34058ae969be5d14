"""The prediction for a .tflite: whether an interpreter loads it and runs its signatures, from its content alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from packaging.version import InvalidVersion, Version

from crossload.artifacts.tflite import nodes, tflite_file
from crossload.artifacts.tflite.nodes import Graph
from crossload.artifacts.tflite.tflite_file import TFLite
from crossload.contract.datatypes import for_people
from crossload.contract.manifest import Binding
from crossload.contract.signatures import Signature
from crossload.errors import CrossloadError
from crossload.releases.tflite_kernels import Interpreter, interpreters
from crossload.runtimes.registry import Runtime
from crossload.verbs.check import tflite_rules
from crossload.verbs.check.findings import Finding
from crossload.verbs.check.prediction import Prediction

_MOST_32_BIT = (1 << 31) - 1


def interpreter_of(runtime: Runtime | str) -> Interpreter:
    """The data of a runtime, `name@version`; the name alone means its newest release, a variant (`litert+builtin`) its interpreter.

    Raises CrossloadError if there are none.
    """
    title = runtime if isinstance(runtime, str) else runtime.title
    name, at, version = title.partition("@")
    plain = name if name == "tensorflow+lite" else name.partition("+")[0]
    found = [i for i in interpreters() if f"{plain}{at}{version}" in (i.title, i.name)]
    if not found:
        raise CrossloadError(f"check has no kernels of {title}; it knows: {', '.join(i.title for i in interpreters())}")
    return found[-1]


def would_do(
    path: Path,
    runtimes: Iterable[Runtime | str | Interpreter] | None = None,
    *,
    bindings: Mapping[str, Binding],
    found: TFLite | None = None,
) -> list[Prediction]:
    """What interpreters do with a .tflite, by default all that are known; raises ArtifactError for a damaged file."""
    chosen = interpreters() if runtimes is None else [r if isinstance(r, Interpreter) else interpreter_of(r) for r in runtimes]
    about = found or tflite_file.read(path)
    graph = nodes.read(path)
    return [_predict(path, interpreter, about, graph, bindings) for interpreter in chosen]


def _predict(path: Path, interpreter: Interpreter, about: TFLite, graph: Graph, bindings: Mapping[str, Binding]) -> Prediction:
    first = [*tflite_rules.at_look_up(graph, interpreter), *tflite_rules.at_run(graph, 0, interpreter)]
    found = [f for f in first if f.at_load]
    homes = {name: graph.subgraph_of.get(b.key, 0) if b.key is not None else 0 for name, b in bindings.items()}
    for name, binding in bindings.items():
        found += [replace(f, signature=name) for f in _of_signature(interpreter, about, graph, binding, homes[name], first)]
    found = _merged(found, list(bindings))
    signatures = {n: next((f.outcome for f in found if f.signature in (None, n)), "ok") for n in bindings}
    notes = (*tflite_rules.risks(graph, interpreter), *_notes(interpreter, about, graph, bindings))
    return Prediction(path, interpreter.title, "", tuple(found), signatures, notes)


def _of_signature(
    interpreter: Interpreter, about: TFLite, graph: Graph, binding: Binding, home: int, first: Sequence[Finding]
) -> Iterable[Finding]:
    """What stops one signature after the file has been loaded."""
    if home and interpreter.name == "tflite-micro":
        yield Finding("unsupported", f"TensorFlow Lite Micro runs a file's first subgraph; the signature is subgraph {home}")
    signature = about.signatures.get(binding.key, Signature((), ())) if binding.key is not None else about.signature()
    for tensor in (*signature.inputs, *signature.outputs):
        datatype = for_people(tensor.datatype)
        answer = interpreter.carries(datatype)
        if answer is not None and answer.outcome != "ok":
            yield Finding(answer.outcome, f"{interpreter.title} cannot carry {datatype} (of {tensor.name!r})", at_load=answer.at_load)
    if home:
        # What would be refused at loading is refused when the signature is called first.
        own = tflite_rules.at_run(graph, home, interpreter)
        yield from (replace(f, outcome="run_error" if f.outcome == "load_error" else f.outcome, at_load=False) for f in own)
    else:
        yield from (f for f in first if not f.at_load)


def _merged(found: Sequence[Finding], signatures: Sequence[str]) -> list[Finding]:
    """Without repetitions; what stops every signature at loading belongs to none."""
    merged = [replace(f, signature=None) if f.at_load or len(signatures) == 1 else f for f in found]
    return sorted(dict.fromkeys(merged), key=lambda f: (not f.at_load, f.outcome == "mismatch"))


def _notes(interpreter: Interpreter, about: TFLite, graph: Graph, bindings: Mapping[str, Binding]) -> Iterable[str]:
    if graph.largest > _MOST_32_BIT:
        yield f"a tensor of the file has {graph.largest:,} elements: no 32-bit device holds it"
    if unmade := graph.unmade:
        yield f"no operator makes the output tensor {unmade[0]}: what is read there is chance"
    if interpreter.between:
        apart = "whose sources are before and after it" if len(interpreter.between) > 1 else "which is made of the same sources"
        yield f"inferred from {' and '.join(interpreter.between)}, {apart}"
    needs = about.producer.get("min_runtime_version", "")
    if needs and interpreter.name not in ("litert", "tflite-micro") and _is_older(interpreter.title.partition("@")[2], needs):
        yield f"the file names {needs} as the oldest runtime that should run it"
    if interpreter.name == "tflite-micro" and any(-1 in t.shape for t in about.inputs if t.shape):
        yield "runs the shapes that the file was written with"
    if any(b.key is None for b in bindings.values()):
        yield "the file has no signature: its tensors are bound by index"
        if graph.nameless:
            yield f"tensor {', '.join(map(str, graph.nameless))} {'have' if len(graph.nameless) > 1 else 'has'} no name of its own"


def _is_older(release: str, needed: str) -> bool:
    try:
        return Version(release) < Version(needed)
    except InvalidVersion:
        return False
