"""Operators that move, choose, repeat and count elements."""

from __future__ import annotations

from collections.abc import Sequence

from crossload.edits.from_tflite.graph_builder import Value
from crossload.edits.from_tflite.operation import Operation, Rewrite, Unsupported

_MIRRORS = ("REFLECT", "SYMMETRIC")
_MASKS = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")


def _same(op: str, count: int) -> Rewrite:
    """An operator that is an op of TensorFlow with the same inputs."""
    return lambda o: o.add(op, *(o[at] for at in range(count)))


def _reshape(o: Operation) -> Value:
    if o.has(1) and o.rank(1) == 1:
        return o.add("Reshape", o[0], o[1])
    return o.add("Reshape", o[0], o.options["shape"] or list(o.outputs[0].shape))


def _squeeze(o: Operation) -> Value:
    return o.add("Squeeze", o[0], squeeze_dims=o.options["dims"])


def _concatenated(o: Operation) -> Value:
    return o.activated(o.add("ConcatV2", o.all(), o.options["axis"]) if len(o.inputs) > 1 else o.add("Identity", o[0]))


def _mirror_pad(o: Operation) -> Value:
    return o.add("MirrorPad", o[0], o[1], mode=_MIRRORS[bool(o.options["mode"])])


def _pad_with(o: Operation) -> Value:
    return o.add("PadV2", o[0], o[1], o.scalar(2))


def _strided_slice(o: Operation) -> Value:
    end = o.add("AddV2", o[1], o[2]) if o.options["offset"] else o[2]
    return o.add("StridedSlice", o[0], o[1], end, o[3], **{mask: o.options[mask] for mask in _MASKS})


def _split(o: Operation) -> Sequence[Value]:
    return o.graph.outputs("Split", o.scalar(0), o[1], num_split=len(o.outputs))


def _split_v(o: Operation) -> Sequence[Value]:
    return o.graph.outputs("SplitV", o[0], o[1], o.scalar(2), num_split=len(o.outputs))


def _unpack(o: Operation) -> Sequence[Value]:
    return o.graph.outputs("Unpack", o[0], num=len(o.outputs), axis=o.options["axis"])


def _gather(o: Operation) -> Value:
    return o.add("GatherV2", o[0], _index(o, 1), o.options["axis"], batch_dims=o.options["batch_dims"])


def _index(o: Operation, at: int) -> Value:
    """Indices as int32 where they are narrower, which TensorFlow does not take."""
    return o[at] if o[at].datatype in ("INT32", "INT64") else o.add("Cast", o[at], DstT="INT32")


def _arg(op: str) -> Rewrite:
    return lambda o: o.add(op, o[0], o.scalar(1), output_type=o.outputs[0].datatype)


def _one_hot(o: Operation) -> Value:
    return o.add("OneHot", o[0], o.scalar(1), o.scalar(2), o.scalar(3), axis=o.options["axis"])


def _cumulated(o: Operation) -> Value:
    return o.add("Cumsum", o[0], o.scalar(1), exclusive=o.options["exclusive"], reverse=o.options["reverse"])


def _reverse_sequence(o: Operation) -> Value:
    return o.add("ReverseSequence", o[0], o[1], seq_dim=o.options["seq_dim"], batch_dim=o.options["batch_dim"])


def _embedding_lookup(o: Operation) -> Value:
    return o.add("GatherV2", o[1], o[0], 0)


def _where(o: Operation) -> Value:
    return o.add("Where", o[0])


def _sparse_to_dense(o: Operation) -> Value:
    return o.add("SparseToDense", o[0], o[1], o[2], o[3], validate_indices=False)


def _updated_slice(o: Operation) -> Value:
    """The operand where a padded mask is false; a start beyond the end is moved back, as dynamic_update_slice.cc does."""
    whole, part = o.add("Shape", o[0]), o.add("Shape", o[1])
    start = o[2] if o[2].datatype == "INT32" else o.add("Cast", o[2], DstT="INT32")
    left = o.add("Sub", whole, part)
    start = o.add("Minimum", o.add("Maximum", start, 0), left)
    sides = o.add("Pack", [start, o.add("Sub", left, start)], axis=1)
    inside = o.add("Pad", o.add("Fill", part, o.graph.constant(1, "INT32")), sides)
    return o.add("SelectV2", o.add("Cast", inside, DstT="BOOL"), o.add("Pad", o[1], sides), o[0])


def _filled(o: Operation) -> Value:
    return o.add("Fill", o[0], o.scalar(1))


def _range(o: Operation) -> Value:
    return o.add("Range", *(o.scalar(at) for at in range(3)))


def _block(op: str) -> Rewrite:
    return lambda o: o.add(op, o[0], block_size=o.options["block_size"])


def _top(o: Operation) -> Sequence[Value]:
    if o.outputs[1].datatype != "INT32":
        raise Unsupported(f"has indices of {o.outputs[1].datatype}")
    return o.graph.outputs("TopKV2", o[0], o.scalar(1))


def _boxes(o: Operation) -> Sequence[Value]:
    return o.graph.outputs("NonMaxSuppressionV4", o[0], o[1], *map(o.scalar, range(2, 5)), pad_to_max_output_size=True)


def _soft_boxes(o: Operation) -> Sequence[Value]:
    """With a sigma, TensorFlow weighs the scores of boxes beyond the threshold, and TFLite removes these."""
    sigma, threshold = o.constant(5), o.constant(3)
    if (sigma is None or sigma.any()) and (threshold is None or threshold.min() < 1):
        raise Unsupported("has a sigma and a threshold below 1, of which TensorFlow ignores the threshold")
    return o.graph.outputs("NonMaxSuppressionV5", o[0], o[1], *map(o.scalar, range(2, 6)), pad_to_max_output_size=True)


OPERATORS: dict[str, Rewrite] = {
    "RESHAPE": _reshape, "SQUEEZE": _squeeze, "CONCATENATION": _concatenated,
    "EXPAND_DIMS": lambda o: o.add("ExpandDims", o[0], o.scalar(1)),
    "TRANSPOSE": _same("Transpose", 2), "PAD": _same("Pad", 2), "PADV2": _pad_with, "MIRROR_PAD": _mirror_pad,
    "SLICE": _same("Slice", 3), "STRIDED_SLICE": _strided_slice, "SPLIT": _split, "SPLIT_V": _split_v,
    "PACK": lambda o: o.add("Pack", o.all(), axis=o.options["axis"]), "UNPACK": _unpack, "TILE": _same("Tile", 2),
    "BROADCAST_TO": _same("BroadcastTo", 2), "BROADCAST_ARGS": _same("BroadcastArgs", 2), "REVERSE_V2": _same("ReverseV2", 2),
    "FILL": _filled, "GATHER": _gather, "GATHER_ND": lambda o: o.add("GatherNd", o[0], _index(o, 1)), "SCATTER_ND": _same("ScatterNd", 3),
    "ARG_MAX": _arg("ArgMax"), "ARG_MIN": _arg("ArgMin"), "TOPK_V2": _top, "ONE_HOT": _one_hot, "CUMSUM": _cumulated, "WHERE": _where,
    "SHAPE": lambda o: o.add("Shape", o[0], out_type=o.outputs[0].datatype), "RANK": _same("Rank", 1),
    "UNIQUE": lambda o: o.graph.outputs("Unique", o[0], out_idx=o.outputs[1].datatype), "RANGE": _range,
    "SPACE_TO_DEPTH": _block("SpaceToDepth"), "DEPTH_TO_SPACE": _block("DepthToSpace"),
    "SPACE_TO_BATCH_ND": _same("SpaceToBatchND", 3), "BATCH_TO_SPACE_ND": _same("BatchToSpaceND", 3),
    "MATRIX_DIAG": _same("MatrixDiag", 1), "MATRIX_SET_DIAG": _same("MatrixSetDiag", 2), "SEGMENT_SUM": _same("SegmentSum", 2),
    **{f"UNSORTED_SEGMENT_{kind.upper()}": _same(f"UnsortedSegment{kind}", 3) for kind in ("Max", "Min", "Prod", "Sum")},
    "REVERSE_SEQUENCE": _reverse_sequence, "SPARSE_TO_DENSE": _sparse_to_dense, "EMBEDDING_LOOKUP": _embedding_lookup,
    "DYNAMIC_UPDATE_SLICE": _updated_slice, "NON_MAX_SUPPRESSION_V4": _boxes, "NON_MAX_SUPPRESSION_V5": _soft_boxes,
}  # fmt: skip
