"""The values that a signature's inputs take, from the graph: the keys of its tables, the features it parses, composites' parts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from crossload.artifacts.graphs import composites
from crossload.artifacts.graphs.composites import Composite
from crossload.contract.datatypes import from_enum
from crossload.contract.signatures import Signature

_PASSING = ("Identity", "Reshape", "ExpandDims", "Squeeze", "Cast", "PlaceholderWithDefault", "StopGradient")
_TABLE_FILLERS = ("LookupTableImport", "LookupTableImportV2", "InitializeTable", "InitializeTableV2", "LookupTableInsertV2")
_GATHERS = ("Gather", "GatherV2", "ResourceGather")
_VALUES = (*_PASSING, "ReadVariableOp", "Enter")
_MOST_KEYS = 1 << 16
_MOST_DEPTH = 32


@dataclass(frozen=True)
class Feature:
    """A feature that the graph parses from a tf.Example; `shape` is None for any length (sparse, ragged).

    `default` are the values of a feature of fixed shape that an example leaves out; None: it must have them.
    """

    name: str
    datatype: str
    shape: tuple[int, ...] | None
    default: tuple[Any, ...] | None = None


@dataclass(frozen=True)
class Domain:
    """Knowledge of a signature's inputs beyond datatypes and shapes.

    `words` are the keys of all string tables; `keys` those of integer tables, by the input that the graph looks up; `sizes` are the
    numbers of rows that the graph gathers from by an input's indices; `examples` are the features of the tf.Examples in a string input;
    `ranges` are those that a quantised .tflite was calibrated for.
    """

    composites: tuple[Composite, ...] = ()
    words: tuple[bytes, ...] = ()
    keys: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    examples: Mapping[str, tuple[Feature, ...]] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def of_artifact(path: Path, kind: str, tags: Iterable[str] | None, signatures: Mapping[str, Signature]) -> dict[str, Domain]:
    """The domains of the signatures of an artifact of this format, by their names; without a graph, only the inputs' names count.

    A SavedModel's and a graph's inputs are bound by `tensor`. Raises ArtifactError for an artifact that cannot be read.
    """
    from crossload.artifacts.graphs import graph_def, saved_model

    if kind == "saved_model":
        proto = saved_model.read(path).meta_graph(tags).proto
        return {name: of_meta_graph(proto, s, path / "assets") for name, s in signatures.items()}
    if kind == "graph_def":
        graph = graph_def.read(path).graph.proto
        return {name: of_graph(graph, s) for name, s in signatures.items()}
    if kind in ("checkpoint", "meta_graph"):
        from crossload import artifacts

        beside = artifacts.graph_of(path, tags).proto
        return {name: of_graph(beside, s) for name, s in signatures.items()}
    found = {name: Domain(composites.by_name(s)) for name, s in signatures.items()}
    if kind == "tflite":
        from crossload.artifacts.tflite import quantised

        return {n: replace(d, ranges=quantised.ranges(path, {t.name: t for t in signatures[n].inputs})) for n, d in found.items()}
    return found


def of_meta_graph(proto: Any, signature: Signature, assets: Path | None = None) -> Domain:
    """The domain of a signature of a MetaGraphDef with its asset files in `assets`."""
    from crossload.artifacts.graphs import saved_model

    found = of_graph(proto.graph_def, signature)
    texts = (assets / a.filename for a in saved_model.assets(proto)) if assets else ()
    words = (*found.words, *(line for text in texts for line in _vocabulary(proto.graph_def, text)))
    parts = composites.of_meta_graph(proto, signature)
    return replace(found, composites=parts or found.composites, words=tuple(dict.fromkeys(words))[:_MOST_KEYS])


def of_graph(graph: Any, signature: Signature) -> Domain:
    """The domain of a signature of a GraphDef."""
    from crossload.artifacts.graphs import protos

    bodies = _Bodies(graph)
    tables = [
        (key, node.op) for scope, node in bodies.all() if node.op in _TABLE_FILLERS for key in [bodies.constant(scope, node.input[1])]
    ]
    keys = [protos.default(key, Path("the graph"), op) | {"of": from_enum(key.dtype)} for key, op in tables if key is not None]
    words = [w.encode("utf-8", "surrogateescape") for k in keys if k["of"] == "BYTES" for w in k["data"]]
    numbers = tuple(n for k in keys if "INT" in k["of"] for n in k["data"])[:_MOST_KEYS]
    looked_up, examples = {}, {}
    sizes: dict[str, int] = {}
    for spec in signature.inputs:
        for scope, node, at in bodies.takers(str(spec.tensor).partition(":")[0]) if spec.tensor is not None else ():
            if node.op.startswith("LookupTableFind") and at == 1 and "INT" in spec.datatype and numbers:
                looked_up[spec.name] = numbers
            elif "INT" in spec.datatype and (size := _rows(bodies, scope, node, at)):
                sizes[spec.name] = min(size, sizes.get(spec.name, size))
            elif spec.datatype == "BYTES" and at == 0 and (features := _features(bodies, scope, node)):
                examples[spec.name] = features
    return Domain(composites.by_name(signature), tuple(dict.fromkeys(words))[:_MOST_KEYS], looked_up, sizes, examples)


def _rows(bodies: _Bodies, scope: str, node: Any, at: int) -> int | None:
    """How many values an index may have that a node takes as its input `at`: the rows it gathers from, the classes of a one-hot code."""
    if node.op == "OneHot" and at == 0:
        depth = bodies.constant(scope, node.input[1])
        return None if depth is None else int(_number(depth))
    if node.op not in _GATHERS or at != 1:
        return None
    axis = bodies.constant(scope, node.input[2]) if node.op == "GatherV2" else None
    shape = bodies.shape(scope, node.input[0])
    where = 0 if axis is None else int(_number(axis))
    return shape[where] if shape and -len(shape) <= where < len(shape) and shape[where] > 0 else None


def _number(tensor: Any) -> int:
    from crossload.artifacts.graphs import protos

    found: list[int] = protos.default(tensor, Path("the graph"), "a constant")["data"]
    return found[0] if found else 0


def _features(bodies: _Bodies, scope: str, node: Any) -> tuple[Feature, ...]:
    """The features that a node parses from tf.Examples (parsing_ops.cc: ParseExample, ParseExampleV2, ParseSingleExample)."""
    from crossload.artifacts.graphs import protos

    attr = node.attr
    if node.op == "ParseSingleExample":
        names = [list(attr[side].list.s) for side in ("sparse_keys", "dense_keys")] + [[]]
        stated_defaults = list(node.input[1:])
    elif node.op == "ParseExample":
        sparse, dense = attr["Nsparse"].i, attr["Ndense"].i
        at = [node.input[2 : 2 + sparse], node.input[2 + sparse : 2 + sparse + dense]]
        names = [[n for key in side for n in bodies.strings(scope, key)] for side in at] + [[]]
        stated_defaults = list(node.input[2 + sparse + dense :])
    elif node.op == "ParseExampleV2":
        names = [bodies.strings(scope, at) for at in node.input[2:5]]
        stated_defaults = list(node.input[5:])
    else:
        return ()
    types = [list(attr[side].list.type) for side in ("sparse_types", "Tdense", "ragged_value_types")]
    stated: list[tuple[int, ...] | None] = [protos.shape(s) for s in attr["dense_shapes"].list.shape]
    shapes: list[list[tuple[int, ...] | None]] = [[None] * len(names[0]), stated, [None] * len(names[2])]
    given = [_default(bodies.constant(scope, at)) for at in stated_defaults if not at.startswith("^")]
    defaults: list[list[tuple[Any, ...] | None]] = [[None] * len(names[0]), [*given, *[None] * len(names[1])], [None] * len(names[2])]
    found = []
    for own, numbers, sizes, values in zip(names, types, shapes, defaults, strict=True):
        decoded = (name.decode("utf-8", "surrogateescape") for name in own)
        found += [Feature(*feature) for feature in zip(decoded, map(from_enum, numbers), sizes, values, strict=False)]
    return tuple(found)


def _default(tensor: Any) -> tuple[Any, ...] | None:
    """The values of a dense feature's default; None if it has none, which is an empty constant (parsing_ops.cc)."""
    from crossload.artifacts.graphs import protos

    values = [] if tensor is None else protos.default(tensor, Path("the graph"), "a default")["data"]
    return tuple(values) or None


def _vocabulary(graph: Any, file: Path) -> list[bytes]:
    """The keys that a table reads from a text file: its lines, or for lines with columns the parts between the delimiters."""
    readers = [n for n in _nodes(graph) if n.op.startswith("InitializeTableFromTextFile")]
    if not readers:
        return []
    try:
        lines = file.read_bytes().splitlines()[:_MOST_KEYS]
    except OSError:
        return []
    delimiters = {n.attr["delimiter"].s or b"\t" for n in readers if n.attr["key_index"].i >= 0}
    return lines + [part for line in lines for d in delimiters if d in line for part in line.split(d)]


def _nodes(graph: Any) -> Iterator[Any]:
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def


class _Bodies:
    """The graph ("") and its functions by name: the consumers of a tensor, and its constant value, across calls."""

    def __init__(self, graph: Any) -> None:
        self._arguments = {f.signature.name: [a.name for a in f.signature.input_arg] for f in graph.library.function}
        self._nodes = {"": {n.name: n for n in graph.node}}
        self._nodes |= {f.signature.name: {n.name: n for n in f.node_def} for f in graph.library.function}
        self._takers: dict[tuple[str, str], list[tuple[Any, int]]] = defaultdict(list)
        self._calls: dict[str, list[tuple[str, Any]]] = defaultdict(list)
        for scope, node in self.all():
            for at, source in enumerate(node.input):
                self._takers[scope, _operation(source)].append((node, at))
            if called := self._called(node):
                self._calls[called].append((scope, node))

    def all(self) -> Iterator[tuple[str, Any]]:
        """Every node with the name of its body."""
        for scope, nodes in self._nodes.items():
            yield from ((scope, node) for node in nodes.values())

    def takers(self, name: str, scope: str = "", depth: int = 0) -> Iterator[tuple[str, Any, int]]:
        """The nodes that take this operation's result unchanged, with the name of their body and the index of the input."""
        for node, at in self._takers[scope, name] if depth < _MOST_DEPTH else ():
            called = self._called(node)
            if called and at < len(self._arguments[called]):
                yield from self.takers(self._arguments[called][at], called, depth + 1)
            elif (node.op in _PASSING and at == 0) or (node.op in ("Select", "SelectV2") and at > 0):
                yield from self.takers(node.name, scope, depth + 1)
            else:
                yield scope, node, at

    def constant(self, scope: str, source: str) -> Any:
        """The TensorProto of a node's constant input; None if it is not a constant."""
        origin = self._origin(scope, source)
        return origin.attr["value"].tensor if origin is not None and origin.op == "Const" else None

    def shape(self, scope: str, source: str) -> tuple[int, ...] | None:
        """The shape of a node's constant or variable input; None if it is neither."""
        from crossload.artifacts.graphs import protos

        origin = self._origin(scope, source)
        if origin is None:
            return None
        return protos.shape(origin.attr["value"].tensor.tensor_shape if origin.op == "Const" else origin.attr["shape"].shape)

    def _origin(self, scope: str, source: str, depth: int = 0) -> Any:
        """The constant or variable that a node's input comes from unchanged; None if it is neither."""
        name = _operation(source)
        node = self._nodes[scope].get(name)
        if depth > _MOST_DEPTH:
            return None
        if node is None and name in self._arguments.get(scope, ()):
            at = self._arguments[scope].index(name)
            given = (self._origin(s, call.input[at], depth + 1) for s, call in self._calls[scope] if at < len(call.input))
            return next((c for c in given if c is not None), None)
        if node is not None and node.op in ("Const", "VarHandleOp", "Variable", "VariableV2"):
            return node
        return self._origin(scope, node.input[0], depth + 1) if node is not None and node.op in _VALUES and node.input else None

    def strings(self, scope: str, source: str) -> list[bytes]:
        """The elements of a constant of strings."""
        found = self.constant(scope, source)
        return [] if found is None else list(found.string_val)

    def _called(self, node: Any) -> str | None:
        name = node.attr["f"].func.name if "f" in node.attr else node.op
        return name if name in self._arguments else None


def _operation(source: str) -> str:
    return source.removeprefix("^").partition(":")[0]
