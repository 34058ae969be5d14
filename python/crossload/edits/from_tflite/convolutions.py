"""Convolutions, pooling, matrix products and resizing. TFLite's filters are [out, height, width, in], and of one output a row."""

from __future__ import annotations

import numpy as np

from crossload.edits.from_tflite.graph_builder import Value
from crossload.edits.from_tflite.operation import Operation, Rewrite, Unsupported

# Only hostile files have more groups, or filters that dilation spreads over more elements.
_MOST_GROUPS, _MOST_SPREAD = 1 << 12, 1 << 24


def _biased(o: Operation, value: Value, bias: int) -> Value:
    return o.activated(o.add("BiasAdd", value, o[bias]) if o.has(bias) else value)


def _square(o: Operation, height: str, width: str) -> list[int]:
    return [1, o.options[height], o.options[width], 1]


def _conv_2d(o: Operation) -> Value:
    groups = o.tensor(0).shape[-1] // max(1, o.tensor(1).shape[-1])
    if groups > 1 and o.tensor(1).shape[-1] == 1 and (held := o.constant(1)) is not None:
        return _by_channel(o, held.transpose(3, 1, 2, 0))
    taken = o.arranged(1, (1, 2, 3, 0))
    window = {"strides": _square(o, "stride_h", "stride_w"), "padding": o.padding, "dilations": _square(o, "dilation_h", "dilation_w")}
    if groups == 1:
        return _biased(o, o.add("Conv2D", o[0], taken, **window), 2)
    if groups > _MOST_GROUPS:
        raise Unsupported(f"has {groups:,} groups")
    # No release's CPU kernel is bound to take groups: each is a convolution of its own.
    images, filters = (o.graph.outputs("Split", 3, x, num_split=groups) for x in (o[0], taken))
    parts = [o.add("Conv2D", x, f, **window) for x, f in zip(images, filters, strict=True)]
    return _biased(o, o.add("ConcatV2", parts, 3), 2)


def _depthwise(o: Operation) -> Value:
    if (filters := o.constant(1)) is None:
        raise Unsupported("has a filter that is computed")
    return _by_channel(o, filters)


def _by_channel(o: Operation, filters: np.ndarray) -> Value:
    """Filters [1, height, width, channels × multiplier], each over one channel.

    The CPU's kernel has no dilation and one stride for both directions: the filter is spread, and rows are left out afterwards.
    """
    by, strides = (o.options["dilation_h"], o.options["dilation_w"]), (o.options["stride_h"], o.options["stride_w"])
    _, height, width, made = filters.shape
    if ((height - 1) * by[0] + 1) * ((width - 1) * by[1] + 1) * made > _MOST_SPREAD:
        raise Unsupported(f"is dilated by {by[0]}, {by[1]}")
    spread = np.zeros(((height - 1) * by[0] + 1, (width - 1) * by[1] + 1, made), np.float32)
    spread[:: by[0], :: by[1]] = filters[0]
    channels = o.tensor(0).shape[-1]
    constant = o.values.constant(o.tensor(1), spread.reshape(*spread.shape[:2], channels, made // channels))
    image, padding = o[0], o.padding
    if strides[0] == strides[1]:
        value = o.add("DepthwiseConv2dNative", image, constant, strides=[1, *strides, 1], padding=padding)
        return _biased(o, value, 2)
    if padding == "SAME":
        sides = [_same_padding(*z) for z in zip(o.tensor(0).shape[1:3], spread.shape[:2], strides, strict=True)]
        image = o.add("Pad", image, [[0, 0], *sides, [0, 0]])
    whole = o.add("DepthwiseConv2dNative", image, constant, strides=[1, 1, 1, 1], padding="VALID")
    kept = o.add("StridedSlice", whole, [0] * 4, [0] * 4, [1, *strides, 1], begin_mask=15, end_mask=15)
    return _biased(o, kept, 2)


def _same_padding(size: int, window: int, stride: int) -> list[int]:
    """The rows before and after of TensorFlow's padding SAME (core/framework/common_shape_fns.cc)."""
    needed = max(0, (-(-size // stride) - 1) * stride + window - size)
    return [needed // 2, needed - needed // 2]


def _transpose_conv(o: Operation) -> Value:
    taken = o.arranged(1, (1, 2, 0, 3))
    strides = _square(o, "stride_h", "stride_w")
    return _biased(o, o.add("Conv2DBackpropInput", o[0], taken, o[2], strides=strides, padding=o.padding), 3)


def _cube(o: Operation, what: str) -> list[int]:
    return [1, *(o.options[f"{what}_{side}"] for side in "dhw"), 1]


def _conv_3d(o: Operation) -> Value:
    return _biased(o, o.add("Conv3D", o[0], o[1], strides=_cube(o, "stride"), padding=o.padding, dilations=_cube(o, "dilation")), 2)


def _conv_3d_transpose(o: Operation) -> Value:
    if _cube(o, "dilation") != [1] * 5:
        raise Unsupported("is dilated")
    return _biased(o, o.add("Conv3DBackpropInputV2", o[0], o[1], o[2], strides=_cube(o, "stride"), padding=o.padding), 3)


def _fully_connected(o: Operation) -> Value:
    if o.options["weights_format"]:
        raise Unsupported("has shuffled weights")
    weights, taken = o.arranged(1, (1, 0)), o[0]
    if o.options["keep_num_dims"] and o.rank() > 2:
        return _biased(o, o.add("BatchMatMulV2", taken, weights), 2)
    if o.rank() != 2 or o.tensor(0).shape[-1] != o.tensor(1).shape[1]:
        taken = o.add("Reshape", taken, [-1, o.tensor(1).shape[1]])
    made = _biased(o, o.add("MatMul", taken, weights), 2)
    return o.add("Reshape", made, [-1]) if o.options["keep_num_dims"] and o.rank() == 1 else made


def _batch_matmul(o: Operation) -> Value:
    return o.add("BatchMatMulV2", o[0], o[1], adj_x=o.options["adj_x"], adj_y=o.options["adj_y"])


def _pooled(o: Operation, op: str, value: Value) -> Value:
    return o.add(op, value, ksize=_square(o, "filter_h", "filter_w"), strides=_square(o, "stride_h", "stride_w"), padding=o.padding)


def _l2_pool(o: Operation) -> Value:
    return o.activated(o.add("Sqrt", _pooled(o, "AvgPool", o.add("Square", o[0]))))


def _local_response(o: Operation) -> Value:
    given = o.options
    return o.add("LRN", o[0], depth_radius=given["radius"], bias=given["bias"], alpha=given["alpha"], beta=given["beta"])


def _resized(op: str) -> Rewrite:
    return lambda o: o.add(op, o[0], o[1], align_corners=o.options["align_corners"], half_pixel_centers=o.options["half_pixel_centers"])


OPERATORS: dict[str, Rewrite] = {
    "CONV_2D": _conv_2d,
    "DEPTHWISE_CONV_2D": _depthwise,
    "TRANSPOSE_CONV": _transpose_conv,
    "CONV_3D": _conv_3d,
    "CONV_3D_TRANSPOSE": _conv_3d_transpose,
    "FULLY_CONNECTED": _fully_connected,
    "BATCH_MATMUL": _batch_matmul,
    "AVERAGE_POOL_2D": lambda o: o.activated(_pooled(o, "AvgPool", o[0])),
    "MAX_POOL_2D": lambda o: o.activated(_pooled(o, "MaxPool", o[0])),
    "L2_POOL_2D": _l2_pool,
    "LOCAL_RESPONSE_NORMALIZATION": _local_response,
    "RESIZE_BILINEAR": _resized("ResizeBilinear"),
    "RESIZE_NEAREST_NEIGHBOR": _resized("ResizeNearestNeighbor"),
    "RFFT2D": lambda o: o.add("RFFT2D", o[0], o[1]),
}
