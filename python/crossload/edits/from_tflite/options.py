"""The fields of operators' options by name: their numbers and kinds in the schema, and values where a file leaves them out (schema.fbs)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crossload.artifacts.tflite import flatbuffer
from crossload.artifacts.tflite.flatbuffer import FlatbufferError
from crossload.artifacts.tflite.inner import Operator

# A field: its number, its kind (a struct code, `[code]` for a vector, "s" for text), and its default if that is not 0.
Field = tuple[int, str] | tuple[int, str, int]
_FUSED: Mapping[str, Field] = {"fused": (0, "b")}
_REDUCER: Mapping[str, Field] = {"keep_dims": (0, "?")}
_POOL: Mapping[str, Field] = {
    "padding": (0, "b"), "stride_w": (1, "i"), "stride_h": (2, "i"), "filter_w": (3, "i"), "filter_h": (4, "i"), "fused": (5, "b"),
}  # fmt: skip
_CONV_3D: Mapping[str, Field] = {
    "padding": (0, "b"), "stride_d": (1, "i"), "stride_w": (2, "i"), "stride_h": (3, "i"), "fused": (4, "b"),
    "dilation_d": (5, "i", 1), "dilation_w": (6, "i", 1), "dilation_h": (7, "i", 1),
}  # fmt: skip
_BLOCK: Mapping[str, Field] = {"block_size": (0, "i")}
_LSTM: Mapping[str, Field] = {"fused": (0, "b"), "cell_clip": (1, "f"), "proj_clip": (2, "f")}
_RANDOM: Mapping[str, Field] = {"seed": (0, "q"), "seed2": (1, "q")}
FIELDS: Mapping[str, Mapping[str, Field]] = {
    **dict.fromkeys(("ADD", "SUB", "MUL", "DIV", "L2_NORMALIZATION"), _FUSED),
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "REDUCE_ANY", "REDUCE_ALL"), _REDUCER),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"), _POOL),
    **dict.fromkeys(("CONV_3D", "CONV_3D_TRANSPOSE"), _CONV_3D),
    **dict.fromkeys(("SPACE_TO_DEPTH", "DEPTH_TO_SPACE"), _BLOCK),
    "CONV_2D": {
        "padding": (0, "b"), "stride_w": (1, "i"), "stride_h": (2, "i"), "fused": (3, "b"), "dilation_w": (4, "i", 1),
        "dilation_h": (5, "i", 1),
    },
    "DEPTHWISE_CONV_2D": {
        "padding": (0, "b"), "stride_w": (1, "i"), "stride_h": (2, "i"), "multiplier": (3, "i"), "fused": (4, "b"),
        "dilation_w": (5, "i", 1), "dilation_h": (6, "i", 1),
    },
    "TRANSPOSE_CONV": {"padding": (0, "b"), "stride_w": (1, "i"), "stride_h": (2, "i"), "fused": (3, "b")},
    "FULLY_CONNECTED": {"fused": (0, "b"), "weights_format": (1, "b"), "keep_num_dims": (2, "?")},
    "BATCH_MATMUL": {"adj_x": (0, "?"), "adj_y": (1, "?")},
    "SOFTMAX": {"beta": (0, "f")},
    "CONCATENATION": {"axis": (0, "i"), "fused": (1, "b")},
    "LOCAL_RESPONSE_NORMALIZATION": {"radius": (0, "i"), "bias": (1, "f"), "alpha": (2, "f"), "beta": (3, "f")},
    "RESIZE_BILINEAR": {"align_corners": (2, "?"), "half_pixel_centers": (3, "?")},
    "RESIZE_NEAREST_NEIGHBOR": {"align_corners": (0, "?"), "half_pixel_centers": (1, "?")},
    "RESHAPE": {"shape": (0, "[i]")},
    "SQUEEZE": {"dims": (0, "[i]")},
    "GATHER": {"axis": (0, "i"), "batch_dims": (1, "i")},
    "STRIDED_SLICE": {
        "begin_mask": (0, "i"), "end_mask": (1, "i"), "ellipsis_mask": (2, "i"), "new_axis_mask": (3, "i"), "shrink_axis_mask": (4, "i"),
        "offset": (5, "?"),
    },
    "PACK": {"axis": (1, "i")},
    "UNPACK": {"axis": (1, "i")},
    "FAKE_QUANT": {"min": (0, "f"), "max": (1, "f"), "bits": (2, "i"), "narrow": (3, "?")},
    "ONE_HOT": {"axis": (0, "i")},
    "LEAKY_RELU": {"alpha": (0, "f")},
    "MIRROR_PAD": {"mode": (0, "b")},
    "CUMSUM": {"exclusive": (0, "?"), "reverse": (1, "?")},
    "REVERSE_SEQUENCE": {"seq_dim": (0, "i"), "batch_dim": (1, "i")},
    "GELU": {"approximate": (0, "?")},
    "BUCKETIZE": {"boundaries": (0, "[f]")},
    "HASHTABLE": {"table_id": (0, "i"), "key_dtype": (1, "b"), "value_dtype": (2, "b")},
    "VAR_HANDLE": {"container": (0, "s"), "shared_name": (1, "s")},
    **dict.fromkeys(("RANDOM_UNIFORM", "RANDOM_STANDARD_NORMAL", "MULTINOMIAL"), _RANDOM),
    "SVDF": {"rank": (0, "i"), "fused": (1, "b")},
    "LSTM": {**_LSTM, "kernel": (3, "b")},
    "BIDIRECTIONAL_SEQUENCE_LSTM": {**_LSTM, "merge": (3, "?"), "time_major": (4, "?", 1)},
    "RNN": _FUSED,
    "BIDIRECTIONAL_SEQUENCE_RNN": {"time_major": (0, "?"), "fused": (1, "b"), "merge": (2, "?")},
    "UNIDIRECTIONAL_SEQUENCE_LSTM": {**_LSTM, "time_major": (3, "?")},
    "UNIDIRECTIONAL_SEQUENCE_RNN": {"time_major": (0, "?"), "fused": (1, "b")},
}  # fmt: skip


@dataclass(frozen=True)
class Options:
    """An operator's options; `options["axis"]` is the value of a field of FIELDS."""

    data: flatbuffer.Buffer
    operator: Operator

    def __getitem__(self, name: str) -> Any:
        number, kind, default = (*FIELDS[self.operator.op][name], 0)[:3]
        start, end = self.operator.options.get(number, (0, 0))
        if kind.startswith("["):
            return _vector(self.data, start, kind[1]) if end else []
        if kind == "s":
            return bytes(_vector(self.data, start, "B")).decode("utf-8", "surrogateescape") if end else ""
        if end - start < struct.calcsize(kind):
            return struct.unpack(f"<{kind}", struct.pack(f"<{kind}", default))[0]
        return struct.unpack_from(f"<{kind}", self.data, start)[0]


def _vector(data: flatbuffer.Buffer, at: int, code: str) -> list[Any]:
    first, count = flatbuffer.vector(data, at)
    if first + count * struct.calcsize(code) > len(data):
        raise FlatbufferError(f"an option has {count} numbers at {first}, beyond the file's end")
    return list(struct.unpack_from(f"<{count}{code}", data, first))
