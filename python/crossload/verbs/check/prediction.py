"""The prediction: whether a release loads an artifact and runs its signatures, what stops it, and which releases would run it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from crossload import artifacts
from crossload.artifacts.entries import artifacts_of
from crossload.artifacts.graphs.declared_inputs import disagreement
from crossload.artifacts.graphs.graph import operation_of
from crossload.artifacts.graphs.saved_model import init_ops
from crossload.contract.datatypes import for_people
from crossload.contract.manifest import Binding
from crossload.errors import CrossloadError
from crossload.releases.registrations import Release, releases
from crossload.runtimes.registry import Runtime
from crossload.verbs.check import graph_rules, init_rules, java_rules, remedies, value_rules
from crossload.verbs.check.findings import SEVERITY, Finding
from crossload.verbs.check.graph_rules import Subject

# The formats that releases are asked about before they load them.
PREDICTED = ("saved_model", "graph_def", "meta_graph", "checkpoint")


@dataclass(frozen=True)
class Prediction:
    """What a release will do with an artifact: `signatures` has the outcome of each, `ok` or one of SEVERITY.

    `findings` are the obstacles, in the order in which the release meets them; `tensorflow` is the version inside the runtime (empty for
    an interpreter of .tflite files), `path` the artifact; `notes` say what a caller must do for it.
    """

    path: Path
    runtime: str
    tensorflow: str
    findings: tuple[Finding, ...]
    signatures: dict[str, str]
    notes: tuple[str, ...] = ()
    _remedy: Callable[[], str] = field(default=lambda: "", repr=False, compare=False)

    @property
    def outcome(self) -> str:
        """`ok` if at least one signature can be called, else the worst outcome; without signatures, the outcome of loading."""
        if loading := [f.outcome for f in self.findings if f.signature is None]:
            return loading[0]
        found = set(self.signatures.values())
        return "ok" if "ok" in found or not found else min(found, key=SEVERITY.index)

    @property
    def loads(self) -> bool:
        """Whether it will be loaded, whatever its signatures do."""
        return not any(f.at_load for f in self.findings)

    def about(self, signature: str | None) -> Prediction:
        """The prediction for one signature; for None, this one."""
        if signature is None:
            return self
        found = tuple(f for f in self.findings if f.signature in (None, signature))
        return replace(self, findings=found, signatures={signature: self.signatures[signature]})

    @cached_property
    def remedy(self) -> str:
        """The next step if it must be this release, as `remedies.remedy` finds it; empty if there is none, or no conversion helps."""
        return "" if any(f.beyond_repair for f in self.findings) else self._remedy()

    def explanation(self) -> str:
        """The first obstacle in one sentence, with its place; empty if there is none."""
        if not self.findings:
            return ""
        first = self.findings[0]
        return f"{first.sentence} ({first.place})" if first.place else first.sentence

    def to_json(self) -> dict[str, Any]:
        """An element of `predictions` in `check --json`."""
        return {
            "runtime": self.runtime,
            "tensorflow": self.tensorflow,
            "outcome": self.outcome,
            "loads": self.loads,
            "signatures": self.signatures,
            "remedy": self.remedy,
            "findings": [f.to_json() for f in self.findings],
            **({"notes": list(self.notes)} if self.notes else {}),
        }


def release_of(runtime: Runtime | str) -> Release:
    """The registrations of a runtime, `name@version`; the name alone means its newest release. Raises CrossloadError if it has none."""
    title = runtime if isinstance(runtime, str) else runtime.title
    title = title.replace("-jpype", "")  # the same release, in another process
    found = [r for r in known() if title in (r.title, r.title.partition("@")[0])]
    if not found:
        there = ", ".join(r.title for r in releases())
        raise CrossloadError(f"check has no registrations of {title}; it knows: {there}")
    return found[-1]


def known() -> list[Release]:
    """Every release with data, and TensorFlow's as its Python loads models: other rules for the same registrations."""
    return [*releases(), *(_by_python(r) for r in releases() if r.title.startswith("tensorflow@"))]


def _by_python(release: Release) -> Release:
    return replace(release, title=release.title.replace("tensorflow@", "tensorflow+python@"))


def predict(
    path: Path,
    runtime: Runtime | str,
    *,
    tags: Sequence[str] | None = None,
    bindings: Mapping[str, Binding] | None = None,
) -> Prediction:
    """Predict what a runtime's release does with a SavedModel or a GraphDef, from its content alone.

    `tags` choose a SavedModel's MetaGraph, `bindings` (a manifest's) its signatures; by default, those that the artifact itself or the
    manifest beside it states. Raises CrossloadError for an unknown runtime, another format or an unreadable file.
    """
    return would_do(path, [runtime], tags=tags, bindings=bindings)[0]


def would_do(
    path: Path,
    runtimes: Iterable[Runtime | str] | None = None,
    *,
    tags: Sequence[str] | None = None,
    bindings: Mapping[str, Binding] | None = None,
    found: Any = None,
) -> list[Prediction]:
    """The predictions of several runtimes; as `predict`, reading the artifact once.

    By default, of every known release; of TensorFlow's Python only where it does otherwise than TensorFlow's C API. `found` is the
    artifact, if it has been read already.
    """
    chosen = [release_of(r) for r in runtimes] if runtimes is not None else list(releases())
    found = found or artifacts.read(path)
    named = dict(bindings or bindings_of(path, tags, found))
    subject = _subject(path, tags, named, found)
    alone = found.format in ("meta_graph", "checkpoint")
    predictions = [_predict(subject, release, named, path, by_tensorflow_alone=alone) for release in chosen]
    if runtimes is None:
        others = [
            _predict(subject, r, named, path, by_tensorflow_alone=alone)
            for r in known()[len(chosen) :]
            if any(_is_stopped(p, r) for p in predictions)
        ]
        predictions += [p for p in others if p.outcome != next(q for q in predictions if _is_same(p.runtime, q)).outcome]
    return predictions


def _is_same(title: str, prediction: Prediction) -> bool:
    return prediction.runtime == title.replace("+python", "")


def _is_stopped(prediction: Prediction, python: Release) -> bool:
    return _is_same(python.title, prediction) and bool(prediction.findings)


def bindings_of(path: Path, tags: Sequence[str] | None = None, found: Any = None) -> dict[str, Binding]:
    """The signatures of an artifact that the file itself, or the manifest beside it, states; `found` is the artifact, if read already."""
    entries, _ = artifacts_of(path, path.name, tags, unnamed=True, found=found)
    chosen = [e for e in entries if tags is None or e.tags is None or set(e.tags) == set(tags)]
    return chosen[0].bindings if chosen else {}


def _subject(path: Path, tags: Sequence[str] | None, named: Mapping[str, Binding], found: Any) -> Subject:
    """The graph to check; raises ArtifactError for other formats and for a tag set that the artifact does not have."""
    if found.format not in PREDICTED:
        raise CrossloadError(f"{path}: check covers only SavedModels, GraphDefs, .meta files and checkpoints; convert it first")
    roots = {
        name: tuple(dict.fromkeys(operation_of(str(t)) for t in (*b.inputs.values(), *b.outputs.values()))) for name, b in named.items()
    }
    if found.format in ("meta_graph", "checkpoint"):
        meta_graph = artifacts.meta_graph_of(found).proto
        return Subject(meta_graph.graph_def, "graph_def", roots, tuple(filter(None, [meta_graph.saver_def.restore_op_name])))
    if found.format != "saved_model":
        return Subject(found.graph.proto, "graph_def", roots)
    meta = found.meta_graph(tags)
    proto = meta.proto
    restore = proto.saver_def.restore_op_name if found.has_variables else ""
    at_load = tuple(operation_of(n) for n in (restore, next(iter(init_ops(proto).values()), "")) if n)
    stated = {name: meta.signatures.get(b.key or name) for name, b in named.items()}
    declared = {name: wrong for name, s in stated.items() if s is not None and (wrong := disagreement(meta.graph.nodes, s))}
    return Subject(proto.graph_def, "saved_model", roots, at_load, proto, path, declared)


def _predict(
    subject: Subject, release: Release, bindings: Mapping[str, Binding], path: Path, *, by_tensorflow_alone: bool = False
) -> Prediction:
    if by_tensorflow_alone and not release.title.startswith("tensorflow@") and not graph_rules.is_python(release):
        said = "TensorFlow Java loads SavedModels and GraphDefs, and this is a graph of TensorFlow 1 with its checkpoint"
        refused = Finding("unsupported", said, at_load=True)
        step = partial(remedies.remedy, path, subject, release, bindings, (refused,), lambda s: _findings(s, release, bindings))
        return Prediction(path, release.title, release.tensorflow, (refused,), dict.fromkeys(bindings, "unsupported"), (), step)
    found = _findings(subject, release, bindings)
    remedy = partial(remedies.remedy, path, subject, release, bindings, found, lambda s: _findings(s, release, bindings))
    signatures = {n: _outcome(n, found) for n in bindings}
    return Prediction(path, release.title, release.tensorflow, tuple(found), signatures, value_rules.notes(subject, release), remedy)


def _findings(subject: Subject, release: Release, bindings: Mapping[str, Binding]) -> list[Finding]:
    found = [*graph_rules.findings(subject, release), *init_rules.findings(subject, release), *java_rules.findings(subject, release)]
    found += value_rules.findings(subject, release)
    for name, binding in bindings.items():
        found += _not_carried(subject, release, name, binding)
    found.sort(key=lambda f: (not f.at_load, SEVERITY.index(f.outcome)))
    return list(dict.fromkeys(found))


def _outcome(signature: str, found: Sequence[Finding]) -> str:
    """The first failing phase counts: loading, then the datatypes, then running."""
    own = [f for f in found if f.signature in (None, signature)]
    return own[0].outcome if own else "ok"


def _not_carried(subject: Subject, release: Release, name: str, binding: Binding) -> list[Finding]:
    there = java_rules.carried(release)
    if there is None:
        return []
    found = _tensors_not_carried(subject, release, there, binding)
    if found and binding.bridge is not None and not _tensors_not_carried(subject, release, there, binding.bridge):
        return []
    version = release.title.rpartition("@")[2]
    return [
        Finding("unsupported", f"TensorFlow Java {version} has no tensor type for {for_people(datatype)} (of {tensor!r})", signature=name)
        for tensor, datatype in found.items()
    ]


def _tensors_not_carried(subject: Subject, release: Release, there: frozenset[str], binding: Any) -> dict[str, str]:
    found = {}
    for tensor, at in {**binding.inputs, **binding.outputs}.items():
        operation, _, index = str(at).partition(":")
        node = subject.nodes.get(operation)
        datatypes = java_rules.datatypes_of(subject, node, release) if node is not None else []
        position = int(index) if index.isdecimal() else 0
        if position < len(datatypes) and datatypes[position] not in there:
            found[tensor] = datatypes[position]
    return found
