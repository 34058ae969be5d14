"""What loaders of SavedModels reject in init ops and assets (cc/saved_model/loader_util.cc, loader.cc).

Python's loaders look names up as tensors or as operations, and so reject some that the native loader takes.
"""

from __future__ import annotations

from collections.abc import Iterator

from crossload.artifacts.graphs.graph import operation_of
from crossload.artifacts.graphs.saved_model import init_ops
from crossload.artifacts.graphs.saved_model_keys import MAIN_OP_COLLECTIONS, TABLE_INITIALIZERS, TRAIN_OP
from crossload.releases.registrations import Release
from crossload.verbs.check.findings import Finding
from crossload.verbs.check.graph_rules import Subject, is_python
from crossload.verbs.check.java_rules import datatypes_of


def findings(subject: Subject, release: Release) -> Iterator[Finding]:
    """What is wrong with a SavedModel's init op, its assets' tensors, and, for Python, its tables' initializers."""
    if subject.meta_graph is not None:
        for sentence in (*_init_ops(subject, release), *_assets(subject, release), *_tables(subject, release)):
            yield Finding("load_error", sentence, at_load=True)


def _init_ops(subject: Subject, release: Release) -> Iterator[str]:
    collections = subject.meta_graph.collection_def
    for name in MAIN_OP_COLLECTIONS:
        if name in collections and len(collections[name].node_list.value) > 1:
            yield f"the collection {name} names several operations instead of one"
    for key, name in init_ops(subject.meta_graph).items():
        if key == TRAIN_OP:
            continue
        in_collection = key.startswith("collection")
        node = subject.nodes.get(operation_of(name))
        if not in_collection and key not in subject.meta_graph.signature_def[key].outputs:
            yield f"the signature {key!r} does not name the init op as its output {key!r}"
        elif node is None:
            yield f"the init op {name!r} ({key}) is not in the graph"
        elif is_python(release) and ":" in name and (not in_collection or not datatypes_of(subject, node, release)):
            yield f"the init op {name!r} ({key}) is named as a tensor; Python's loader refuses that"


def _assets(subject: Subject, release: Release) -> Iterator[str]:
    for asset in subject.assets:
        tensor = asset.tensor_info.name
        if operation_of(tensor) not in subject.nodes:
            yield f"the tensor {tensor!r} of the asset {asset.filename} is not in the graph"
        elif is_python(release) and ":" not in tensor:
            yield f"the asset {asset.filename} names {tensor!r} without an index; Python's loader refuses that"


def _tables(subject: Subject, release: Release) -> Iterator[str]:
    collections = subject.meta_graph.collection_def
    for name in collections[TABLE_INITIALIZERS].node_list.value if TABLE_INITIALIZERS in collections else ():
        node = subject.nodes.get(operation_of(name))
        if is_python(release) and (node is None or (":" in name and not datatypes_of(subject, node, release))):
            yield f"{name!r} of the collection table_initializer is not in the graph"
