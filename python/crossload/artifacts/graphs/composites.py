"""Composite inputs (ragged and sparse tensors) in a signature: which of its plain tensors are the parts of one composite.

TensorInfo states them (coo_sparse, composite_tensor of meta_graph.proto). TensorFlow 2 flattens the parts into separate inputs of the
signature, `x`, `x_1`, …, and only the called function records their types (saved_object_graph.proto, struct.proto).
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from crossload.contract.signatures import Signature, TensorSpec

_SPARSE, _RAGGED = 1, 3  # struct.proto, TypeSpecProto.TypeSpecClass: SPARSE_TENSOR_SPEC and RAGGED_TENSOR_SPEC


@dataclass(frozen=True)
class Composite:
    """`parts` are names of inputs: of a ragged tensor its flat values and its row splits, the outermost first; of a sparse tensor its
    indices, values and dense shape. `shape` is the whole tensor's, if known."""

    kind: Literal["ragged", "sparse"]
    parts: tuple[str, ...]
    shape: tuple[int, ...] | None = None

    @property
    def roles(self) -> tuple[str, ...]:
        """What each part is, in the order of `parts`."""
        if self.kind == "sparse":
            return "indices", "values", "dense shape"
        count = len(self.parts) - 1
        return "values", *(f"row splits{f' {n}' if count > 1 else ''}" for n in range(1, count + 1))

    def sentence(self, signature: Signature) -> str:
        """Which inputs are its parts, and options of `crossload run` that give the smallest such tensor."""
        named = [f"{name} ({role})" for name, role in zip(self.parts, self.roles, strict=True)]
        given = [f"--input {shlex.quote(f'{name}={json.dumps(value)}')}" for name, value in self._smallest(signature).items()]
        return f"{', '.join(named)} are the parts of one {self.kind} tensor, given together, such as {' '.join(given)}"

    def _smallest(self, signature: Signature) -> dict[str, Any]:
        """The parts of a tensor with one element, by name."""
        specs = {t.name: t for t in signature.inputs}
        if self.kind == "ragged":
            values, *splits = self.parts
            return {values: _one(specs[values], specs[values].shape or (1,)), **{name: [0, 1] for name in splits}}
        indices, values, dense = self.parts
        rank = len(self.shape) if self.shape is not None else max(1, (specs[dense].shape or (1,))[0])
        sizes = self.shape or (1,) * rank
        return {indices: [[0] * rank], values: _one(specs[values], (1,)), dense: [d if d > 0 else 1 for d in sizes]}


def _one(spec: TensorSpec, shape: tuple[int, ...]) -> Any:
    """Zeros, or empty strings, of this shape with one row."""
    value: Any = {"BYTES": "", "BOOL": False}.get(spec.datatype, 0 if "INT" in spec.datatype else 0.0)
    for size in reversed(shape):
        value = [value] * max(1, size)
    return value


def of_meta_graph(proto: Any, signature: Signature) -> tuple[Composite, ...]:
    """The composites of a MetaGraphDef's signature: those that its names show, and those in its traced function."""
    stated = proto.signature_def[signature.key].inputs if (signature.key or "") in proto.signature_def else {}
    named = (replace(one, shape=_whole(stated, one.parts[0].rpartition("/")[0])) for one in by_name(signature))
    return (*named, *_of_function(proto, signature))


def _whole(stated: Any, name: str) -> tuple[int, ...] | None:
    """The shape that a TensorInfo states for a whole sparse tensor (of a composite, its parts state theirs)."""
    if name not in stated or stated[name].tensor_shape.unknown_rank or not stated[name].HasField("tensor_shape"):
        return None
    return tuple(max(-1, int(d.size)) for d in stated[name].tensor_shape.dim)


def by_name(signature: Signature) -> tuple[Composite, ...]:
    """The composites that a SignatureDef stated: `x/values`, `x/indices`, `x/dense_shape`, and `x/0`, `x/1`, … (saved_model.tensors)."""
    specs = {t.name: t for t in signature.inputs}
    found: list[Composite] = []
    for name, spec in specs.items():
        stem, _, part = name.rpartition("/")
        if part == "values" and {f"{stem}/indices", f"{stem}/dense_shape"} <= specs.keys():
            found.append(Composite("sparse", (f"{stem}/indices", name, f"{stem}/dense_shape")))
        elif part == "0" and f"{stem}/1" in specs:
            parts = sorted((n for n in specs if re.fullmatch(re.escape(stem) + r"/\d+", n)), key=lambda n: int(n.rpartition("/")[2]))
            is_sparse = len(parts) == 3 and spec.datatype == "INT64" and len(spec.shape or ()) == 2
            found.append(Composite("sparse" if is_sparse else "ragged", tuple(parts)))
    return tuple(found)


def _of_function(proto: Any, signature: Signature) -> Iterator[Composite]:
    """The composites in the traced function that the signature calls: main graph, signature wrapper, traced function."""
    functions = {f.signature.name: f for f in proto.graph_def.library.function}
    names = {str(t.tensor).partition(":")[0]: t.name for t in signature.inputs}
    for call in proto.graph_def.node:
        wrapper = functions.get(call.attr["f"].func.name) if "f" in call.attr else None
        if wrapper is None or not names.keys() & set(call.input):
            continue
        own = dict(zip((a.name for a in wrapper.signature.input_arg), call.input, strict=False))
        for inner in wrapper.node_def:
            traced = inner.attr["f"].func.name if "f" in inner.attr else ""
            if traced in proto.object_graph_def.concrete_functions:
                given = [names.get(own.get(at.partition(":")[0], "")) for at in inner.input]
                stated = proto.object_graph_def.concrete_functions[traced].canonicalized_input_signature
                yield from _grouped(given, _leaves(stated))


def _grouped(names: list[str | None], leaves: Iterator[Any]) -> Iterator[Composite]:
    at = 0
    for leaf in leaves:
        kind, count = _kind_and_count(leaf)
        parts = [n for n in names[at : at + count] if n is not None]
        if kind and len(parts) == count:
            shape = leaf.type_spec_value.type_state.tuple_value.values[0].tensor_shape_value
            known = None if shape.unknown_rank else tuple(max(-1, d.size) for d in shape.dim)
            yield Composite(kind, tuple(parts), known)
        at += count


def _kind_and_count(leaf: Any) -> tuple[Literal["ragged", "sparse"] | None, int]:
    """The kind of a StructuredValue's leaf, and the number of its tensors."""
    which = leaf.WhichOneof("kind")
    if which == "type_spec_value":
        spec = leaf.type_spec_value
        state = spec.type_state.tuple_value.values
        if spec.type_spec_class == _SPARSE:
            return "sparse", 3
        if spec.type_spec_class == _RAGGED and len(state) > 2:
            return "ragged", 1 + state[2].int64_value
        return None, 1
    return None, int(which in ("tensor_spec_value", "bounded_tensor_spec_value"))


def _leaves(value: Any) -> Iterator[Any]:
    """The leaves of a StructuredValue, in the order of tf.nest.flatten."""
    which = value.WhichOneof("kind")
    if which in ("tuple_value", "list_value"):
        for inner in getattr(value, which).values:
            yield from _leaves(inner)
    elif which == "dict_value":
        for key in sorted(value.dict_value.fields):
            yield from _leaves(value.dict_value.fields[key])
    elif which == "named_tuple_value":
        for pair in value.named_tuple_value.values:
            yield from _leaves(pair.value)
    else:
        yield value
