"""What loads and then cannot answer: tables without entries, variables without values, inputs that the graph takes otherwise; devices."""

from __future__ import annotations

import re
from collections.abc import Iterator

from crossload.artifacts.graphs import object_graph
from crossload.releases.registrations import Release
from crossload.verbs.check.findings import Finding
from crossload.verbs.check.graph_rules import Subject, is_python
from crossload.verbs.check.java_rules import is_java, runs_table_initializers

_ACCELERATOR = re.compile(r"device:(gpu|tpu|xla_gpu):|/(gpu|tpu):", re.IGNORECASE)


def findings(subject: Subject, release: Release) -> Iterator[Finding]:
    """What keeps each signature from answering in this release."""
    if not subject.roots and subject.format == "saved_model":
        said = object_graph.unsigned(subject.meta_graph, subject.path) if subject.meta_graph is not None else ""
        yield Finding("run_error", f"it has no signature that can be called{f': {said}' if said else ''}", beyond_repair=True)
    runs = is_python(release) or runs_table_initializers(release)
    for signature, one in subject.unset(runs_initializers=runs):
        yield Finding("run_error", one.sentence, one.node, op=one.op, signature=signature, beyond_repair=True)
    for signature, wrong in subject.declared.items():
        if runs_table_initializers(release):  # and refuses to load the signature (java_rules)
            continue
        if wrong.of_datatypes or not is_java(release):
            yield Finding("run_error", wrong.sentence, signature=signature, beyond_repair=subject.contradicted)


def notes(subject: Subject, release: Release) -> tuple[str, ...]:
    """What a caller must do that crossload's own workers do (core/common_runtime/placer.cc)."""
    if subject.format != "saved_model" or is_python(release):
        return ()
    # Feeds reach the graph unchecked in the Java releases that load it (c_api.cc, TF_SessionRun); what its ops do with them is not known.
    said = [f"only if its operations take the shape: {wrong.sentence}" for wrong in subject.declared.values() if is_java(release)]
    pinned = next((n for n in subject.graph.node if _ACCELERATOR.search(n.device)), None)
    if pinned is not None:
        said.append(
            f"only with allow_soft_placement, which SavedModelBundle.load does not set: node {pinned.name!r} is pinned to {pinned.device}"
        )
    return tuple(said)
