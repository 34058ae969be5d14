"""The catalogue of faults: each changes an artifact, or the manifest, of a copy of a bundle, and says which causes are right.

A fault gives the id of the artifact that must not agree, or None where the bundle offers nothing to change so.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crossload import artifacts
from crossload.artifacts.checkpoints import checkpoint, leveldb_table
from crossload.artifacts.checkpoints.checkpoint_protos import messages
from crossload.artifacts.graphs import protos
from crossload.artifacts.tflite import inner
from crossload.contract import vectors
from crossload.contract.bundle import Bundle, open_bundle
from crossload.contract.manifest import Artifact
from crossload.edits.tflite_signatures import inject_signatures
from crossload.support import files
from tests.corpus import checkpoints
from tests.faults import graphs
from tests.faults.graphs import BFLOAT16, HALF, Site

Array = np.ndarray
Apply = Callable[[Path], "str | None"]


@dataclass(frozen=True)
class Fault:
    """A kind of fault: where it is, what it does to a bundle's folder, and the causes that are right."""

    where: str
    name: str
    apply: Apply
    causes: frozenset[str]


FAULTS: list[Fault] = []


def _add(where: str, name: str, apply: Apply, *causes: str) -> None:
    FAULTS.append(Fault(where, name, apply, frozenset(causes)))


def _entry(bundle: Bundle, kind: str) -> Artifact | None:
    return next((a for a in bundle.manifest.artifacts if a.format == kind and a.bindings), None)


def mend(root: Path) -> None:
    """Give every artifact and vectors file of the manifest the hash that it has now."""
    file = root / "crossload.json"
    manifest = json.loads(file.read_text(encoding="utf-8"))
    for entry in manifest["artifacts"]:
        entry["sha256"] = artifacts.sha256(root / entry["path"])
    for entry in manifest["vectors"]:
        entry["sha256"] = files.sha256(root / entry["path"])
    file.write_text(json.dumps(manifest), encoding="utf-8")


# graph_def


def _graph(change: graphs.Fault) -> Apply:
    def apply(root: Path) -> str | None:
        bundle = open_bundle(root)
        artifact = _entry(bundle, "graph_def")
        if artifact is None:
            return None
        name, binding = next(iter(artifact.bindings.items()))
        recorded = max(bundle.vectors(name), key=lambda v: sum(a.size for a in v.inputs.values()))
        graph = protos.parse(bundle.path(artifact), protos.GraphDefProto, "GraphDef")
        inputs, outputs = ({k: str(v) for k, v in side.items()} for side in (binding.inputs, binding.outputs))
        site = Site(graph, inputs, outputs, dict(recorded.inputs), dict(recorded.outputs))
        if not change(site):
            return None
        bundle.path(artifact).write_bytes(graph.SerializeToString())
        return artifact.id

    return apply


def _in_graph(name: str, change: graphs.Fault, *causes: str) -> None:
    _add("graph_def", name, _graph(change), *causes)


def _element(value: Array) -> Array:
    changed = value.copy()
    changed.flat[value.size // 2] += np.abs(value).max() + 1
    return changed


def _exchange_columns(value: Array) -> Array:
    changed = value.copy()
    changed[..., [0, -1]] = value[..., [-1, 0]]
    return changed


def _half(value: Array) -> Array:
    return value.astype(np.float16).astype(value.dtype)


# What a moved weight may do to the answer, beside the weight itself.
_WEIGHT = ("weights", "stale", "scaled", "negated", "shifted", "zero", "constant", "one_class", "permuted")
_in_graph("answer negated", graphs.of_output("Neg"), "negated", "op")
_in_graph("answer × 255", graphs.with_constant("Mul", 255), "scaled", "op")
_in_graph("answer + 0.5", graphs.with_constant("AddV2", 0.5), "shifted", "op")
_in_graph("answer × 0", graphs.with_constant("Mul", 0), "zero", "op")
_in_graph("answer × NaN", graphs.with_constant("Mul", np.nan), "nan", "op")
_in_graph("answer ≤ 0.05", graphs.with_constant("Minimum", 0.05), "clipped", "constant", "op")
_in_graph("answer through float16", graphs.through(HALF), "narrower", "op")
_in_graph("answer through bfloat16", graphs.through(BFLOAT16), "narrower", "op")
_in_graph("sigmoid added", graphs.of_output("Sigmoid"), "activation", "op")
_in_graph("softmax added", graphs.of_output("Softmax", 2), "activation", "constant", "op")
_in_graph("exp added", graphs.of_output("Exp"), "activation", "op")
_in_graph("classes rolled by 2", graphs.rolled, "rolled", "op")
_in_graph("classes reversed", graphs.reversed_classes, "permuted", "op")
_in_graph("two classes exchanged", graphs.exchanged_classes, "permuted", "op")
_in_graph("height and width exchanged", graphs.transposed_output, "transposed", "op")
_in_graph("input as NCHW", graphs.input_layout, "layout", "op")
_in_graph("input as BGR", graphs.input_channels, "permuted", "op")
_in_graph("input ÷ 255", graphs.input_scaled, "op", "scaled")
_in_graph("random op", graphs.random_output, "random")
_in_graph("mean of the batch subtracted", graphs.rows_mixed, "rows", "op")
_in_graph("largest weight zero", graphs.weight(np.zeros_like), *_WEIGHT)
_in_graph("largest weight negated", graphs.weight(np.negative), *_WEIGHT)
_in_graph("largest weight × 1.1", graphs.weight(lambda v: v * 1.1), *_WEIGHT)
_in_graph("one element of the largest weight", graphs.weight(_element), "weights", "one_class", "one_element")
_in_graph("second weight zero", graphs.weight(np.zeros_like, 1), *_WEIGHT)
_in_graph("columns of a weight exchanged", graphs.weight(_exchange_columns), *_WEIGHT)
_in_graph("all weights float16", graphs.every_weight(_half), "narrower", "weights")
_in_graph("two weights exchanged", graphs.exchanged_weights, *_WEIGHT)
_in_graph("relu → elu", graphs.replaced("Relu", "Elu"), "op")
_in_graph("relu → identity", graphs.replaced("Relu", "Identity"), "op")
_in_graph("tanh → softplus", graphs.replaced("Tanh", "Softplus"), "op")
_in_graph("softmax → identity", graphs.replaced("Softmax", "Identity"), "op", "activation")
_in_graph("max pooling → mean", graphs.replaced("MaxPool", "AvgPool"), "op")
_in_graph("inputs of an op exchanged", graphs.exchanged_wires, "op", "negated")
_in_graph("slope or epsilon", graphs.other_attribute, "op")


# saved_model: its SignatureDef


def _signature(change: Callable[[Any], bool], side: str) -> Apply:
    def apply(root: Path) -> str | None:
        artifact = _entry(open_bundle(root), "saved_model")
        if artifact is None:
            return None
        file = root / artifact.path / "saved_model.pb"
        message = protos.parse(file, protos.SavedModelProto, "SavedModel")
        binding = next(iter(artifact.bindings.values()))
        changed = [change(getattr(m.signature_def[binding.key], side)) for m in message.meta_graphs if binding.key in m.signature_def]
        if not any(changed):
            return None
        file.write_bytes(message.SerializeToString())
        return artifact.id

    return apply


def _exchange(tensors: Any) -> bool:
    """Exchange two tensors that have the same datatype and shape, else any two."""
    names = sorted(tensors)
    if len(names) < 2:
        return False
    one, other = tensors[names[0]].SerializeToString(), tensors[names[1]].SerializeToString()
    tensors[names[0]].ParseFromString(other)
    tensors[names[1]].ParseFromString(one)
    return True


def _rename(tensors: Any) -> bool:
    name = sorted(tensors)[0]
    tensors[f"{name}_renamed"].CopyFrom(tensors[name])
    del tensors[name]
    return True


def _remove(tensors: Any) -> bool:
    names = sorted(tensors)
    if len(names) > 1:
        del tensors[names[0]]
    return len(names) > 1


_add("saved_model", "inputs exchanged", _signature(_exchange, "inputs"), "exchanged_inputs", "signature")
_add("saved_model", "outputs exchanged", _signature(_exchange, "outputs"), "exchanged_outputs", "signature")
_add("saved_model", "output renamed", _signature(_rename, "outputs"), "signature")
_add("saved_model", "input renamed", _signature(_rename, "inputs"), "signature")
_add("saved_model", "output missing", _signature(_remove, "outputs"), "signature")


# checkpoint: the values of a SavedModel's variables


def _variables(change: Callable[[dict[str, Array]], bool]) -> Apply:
    def apply(root: Path) -> str | None:
        artifact = _entry(open_bundle(root), "saved_model")
        if artifact is None or not (root / artifact.path / "variables/variables.index").exists():
            return None
        prefix = root / artifact.path / "variables/variables"
        found = checkpoint.read(prefix)
        held = {v.name: np.array(found.tensor(v.name)) for v in found.variables if v.datatype == "FP32" and v.shape}
        # A checkpoint holds a variable under several keys: all are changed alike.
        keys: dict[bytes, list[str]] = {}
        for name, value in held.items():
            keys.setdefault(str(value.shape).encode() + value.tobytes(), []).append(name)
        values = {names[0]: held[names[0]] for names in keys.values()}
        before = {name: value.copy() for name, value in values.items()}
        if not values or not change(values) or all(np.array_equal(before[n], values[n]) for n in values):
            return None
        _write(prefix, {alias: values[names[0]] for names in keys.values() for alias in names})
        return artifact.id

    return apply


def _write(prefix: Path, values: dict[str, Array]) -> None:
    """Put values into a checkpoint of one shard, with their checksums."""
    import google_crc32c

    shard = prefix.with_name("variables.data-00000-of-00001")
    data, entries = bytearray(shard.read_bytes()), dict(leveldb_table.read(prefix.with_name("variables.index")))
    for name, value in values.items():
        entry = messages()["BundleEntryProto"].FromString(entries[name.encode()])
        raw = value.astype("<f4").tobytes()
        data[entry.offset : entry.offset + entry.size] = raw
        entry.crc32c = leveldb_table.masked(google_crc32c.value(raw))
        entries[name.encode()] = entry.SerializeToString()
    shard.write_bytes(data)
    prefix.with_name("variables.index").write_bytes(checkpoints.index(entries))


def _largest(values: dict[str, Array]) -> list[str]:
    return sorted(values, key=lambda n: -values[n].size)


def _one(change: Callable[[Array], Array], which: int = 0) -> Callable[[dict[str, Array]], bool]:
    def edit(values: dict[str, Array]) -> bool:
        names = _largest(values)
        if len(names) <= which:
            return False
        values[names[which]] = change(values[names[which]])
        return True

    return edit


def _all_initial(values: dict[str, Array]) -> bool:
    generator = np.random.default_rng(5)
    for name, value in values.items():
        values[name] = generator.standard_normal(value.shape).astype(np.float32) * max(float(np.abs(value).max()), 0.1)
    return len(values) > 1


def _swap(values: dict[str, Array]) -> bool:
    names = _largest(values)
    for at, one in enumerate(names):
        for other in names[at + 1 :]:
            if values[one].shape == values[other].shape and not np.array_equal(values[one], values[other]):
                values[one], values[other] = values[other], values[one]
                return True
    return False


_add("checkpoint", "largest variable zero", _variables(_one(np.zeros_like)), *_WEIGHT)
_add("checkpoint", "second variable zero", _variables(_one(np.zeros_like, 1)), *_WEIGHT)
_add("checkpoint", "largest variable negated", _variables(_one(np.negative)), *_WEIGHT)
_add("checkpoint", "one element of a variable", _variables(_one(_element)), "weights", "one_class", "one_element")
_add("checkpoint", "variables exchanged", _variables(_swap), *_WEIGHT)
_add("checkpoint", "all variables of another training", _variables(_all_initial), "stale", "weights")


# tflite


def _lite_weight(change: Callable[[Array], Array], which: int = 0) -> Apply:
    def apply(root: Path) -> str | None:
        artifact = _entry(open_bundle(root), "tflite")
        if artifact is None:
            return None
        there = inner.read(root / artifact.path)
        held = [(t, v) for t in there.tensors if t.datatype == "FP32" and (v := there.value(t)) is not None and v.size > 3 and v.any()]
        if len(held) <= which:
            return None
        tensor, value = sorted(held, key=lambda pair: -pair[1].size)[which]
        assert tensor.extent
        fresh = np.ascontiguousarray(change(value)).astype(np.float32).tobytes()
        data = bytearray(there.data)
        data[tensor.extent[0] : tensor.extent[0] + len(fresh)] = fresh
        (root / artifact.path).write_bytes(data)
        return artifact.id

    return apply


def _lite_signature(side: str) -> Apply:
    def apply(root: Path) -> str | None:
        artifact = _entry(open_bundle(root), "tflite")
        if artifact is None:
            return None
        definitions = {b.key: {"inputs": dict(b.inputs), "outputs": dict(b.outputs)} for b in artifact.bindings.values() if b.key}
        bound = next(iter(definitions.values()), {}).get(side, {})
        if len(bound) < 2:
            return None
        (one, first), (other, second), *_ = bound.items()
        bound |= {one: second, other: first}
        (root / artifact.path).write_bytes(inject_signatures(root / artifact.path, definitions))
        return artifact.id

    return apply


_add("tflite", "inputs exchanged in the file", _lite_signature("inputs"), "exchanged_inputs", "signature")
_add("tflite", "outputs exchanged in the file", _lite_signature("outputs"), "exchanged_outputs", "signature")
_add("tflite", "largest weight zero", _lite_weight(np.zeros_like), *_WEIGHT)
_add("tflite", "largest weight negated", _lite_weight(np.negative), *_WEIGHT)
_add("tflite", "largest weight × 1.1", _lite_weight(lambda v: v * 1.1), *_WEIGHT)
_add("tflite", "one element of a weight", _lite_weight(_element), "weights", "one_class", "one_element")
_add("tflite", "largest weight float16", _lite_weight(_half), "narrower", "weights")
_add("tflite", "second weight zero", _lite_weight(np.zeros_like, 1), *_WEIGHT)


# manifest


def _manifest(kind: str, change: Callable[[dict[str, Any], dict[str, Any]], bool]) -> Apply:
    """A change of an artifact's binding and its signature in the manifest."""

    def apply(root: Path) -> str | None:
        file = root / "crossload.json"
        manifest = json.loads(file.read_text(encoding="utf-8"))
        entry = next((a for a in manifest["artifacts"] if a["format"] == kind and a["bindings"]), None)
        if entry is None:
            return None
        name, binding = next(iter(entry["bindings"].items()))
        if not change(binding, manifest["signatures"][name]):
            return None
        file.write_text(json.dumps(manifest), encoding="utf-8")
        return str(entry["id"])

    return apply


def _rebound(side: str) -> Callable[[dict[str, Any], dict[str, Any]], bool]:
    def change(binding: dict[str, Any], _: dict[str, Any]) -> bool:
        names = list(binding.get(side, {}))
        if len(names) < 2:
            return False
        binding[side][names[0]], binding[side][names[1]] = binding[side][names[1]], binding[side][names[0]]
        return True

    return change


def _answers(change: Callable[[list[vectors.Vector]], bool], kind: str) -> Apply:
    """A change of the recorded answers."""

    def apply(root: Path) -> str | None:
        bundle = open_bundle(root)
        artifact = _entry(bundle, kind)
        if artifact is None:
            return None
        name = next(iter(artifact.bindings))
        recorded = bundle.vectors(name)
        if not change(recorded):
            return None
        vectors.write(root / vectors.path_of(name), name, recorded)
        return artifact.id

    return apply


def _each_answer(change: Callable[[Array], Array]) -> Callable[[list[vectors.Vector]], bool]:
    def edit(recorded: list[vectors.Vector]) -> bool:
        for vector in recorded:
            vector.outputs = {n: np.ascontiguousarray(change(a)) if a.dtype.kind == "f" else a for n, a in vector.outputs.items()}
        return any(a.dtype.kind == "f" and a.any() for v in recorded for a in v.outputs.values())

    return edit


for _kind in ("graph_def", "saved_model", "tflite"):
    _add("manifest", f"inputs exchanged for {_kind}", _manifest(_kind, _rebound("inputs")), "exchanged_inputs", "signature")
    _add("manifest", f"outputs exchanged for {_kind}", _manifest(_kind, _rebound("outputs")), "exchanged_outputs", "signature")
_add("manifest", "recorded answers negated", _answers(_each_answer(np.negative), "graph_def"), "negated")
_add("manifest", "recorded answers × 0.5", _answers(_each_answer(lambda a: (a * 0.5).astype(a.dtype)), "tflite"), "scaled")
