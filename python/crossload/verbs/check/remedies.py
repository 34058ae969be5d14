"""The next step for a release that does not run an artifact: printed only if the repairs of `convert --runtime` were tried on the graph."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from crossload.artifacts.graphs import protos
from crossload.contract.manifest import Binding
from crossload.edits.freezing import freeze
from crossload.edits.freezing.refusal import NeedsTensorFlow
from crossload.edits.freezing.values import NoValues
from crossload.edits.repairs import artifact_files
from crossload.edits.repairs.graphs import Repairs
from crossload.releases.registrations import Release
from crossload.verbs.check.findings import Finding
from crossload.verbs.check.graph_rules import Subject

Findings = Callable[[Subject], Sequence[Finding]]


def remedy(
    path: Path, subject: Subject, release: Release, bindings: Mapping[str, Binding], found: Sequence[Finding], findings: Findings
) -> str:
    """The command that makes the artifact run in this release; empty if nothing stops it, or if no repair is known to be enough.

    `found` are the findings of the subject, `findings` those of any other.
    """
    if not found:
        return ""
    if all(map(_is_bridged, found)):
        return "crossload export writes a bridge signature in datatypes that it has"
    for repaired in _repaired(subject, release, bindings):
        if all(map(_is_bridged, findings(repaired))):
            return f"crossload convert {shlex.quote(str(path))} DESTINATION --runtime {release.title}"
    return ""


def _is_bridged(finding: Finding) -> bool:
    """Whether a bridge removes the obstacle: a datatype that the runtime has no tensors of."""
    return finding.outcome == "unsupported" and not finding.at_load


def _repaired(subject: Subject, release: Release, bindings: Mapping[str, Binding]) -> Iterator[Subject]:
    """The graphs that `convert --runtime` tries (verbs.convert.backport.attempts), lightest first, without the variables' values.

    A graph that only TensorFlow freezes is not among them.
    """
    if subject.meta_graph is not None:
        meta_graph = _copy(subject.meta_graph)
        if not artifact_files.edit_meta_graph(meta_graph, [release], Repairs()):
            yield Subject(meta_graph.graph_def, "saved_model", subject.roots, subject.at_load, meta_graph)
    else:
        graph = _copy(subject.graph)
        if not artifact_files.edit_graph(graph, _tensors(bindings), [release], Repairs()):
            yield Subject(graph, "graph_def", subject.roots)
    try:
        whole = subject.meta_graph if subject.meta_graph is not None else protos.MetaGraphProto(graph_def=subject.graph)
        graph = freeze.frozen(whole, None, {name: b.model_dump() for name, b in bindings.items()}, NoValues())
    except NeedsTensorFlow:
        return
    if not artifact_files.edit_graph(graph, _tensors(bindings), [release], Repairs()):
        yield Subject(graph, "graph_def", subject.roots)


def _tensors(bindings: Mapping[str, Binding]) -> list[str]:
    return [str(t) for b in bindings.values() for t in (*b.inputs.values(), *b.outputs.values())]


def _copy(message: Any) -> Any:
    copied = type(message)()
    copied.CopyFrom(message)
    return copied
