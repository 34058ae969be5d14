"""Every table of a .tflite, field by field (schema.fbs 3d), for who reads or writes the whole of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from crossload.artifacts.tflite.flatbuffer import Field, Fields


@dataclass(frozen=True)
class Union:
    """What is in the tables of a union, by the number of its kind; a kind that is not listed has no fields.

    `fields` is how many fields each has. `vectors` are those that are vectors or strings, with the width of an element; all others are
    numbers in the table itself. `calls` are those that hold numbers of subgraphs, `tensors` those that hold numbers of tensors.
    `alignment` is that of the vectors (force_align), where it is more than an element's.
    """

    kinds: int
    fields: Mapping[int, int]
    vectors: Mapping[int, Mapping[int, int]] = field(default_factory=dict)
    calls: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    tensors: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    alignment: int = 4


_OPTIONS = Union(
    126,
    {
        1: 7, 2: 7, 3: 3, 4: 1, 5: 6, 6: 3, 7: 2, 8: 5, 9: 1, 10: 2, 11: 2, 12: 1, 13: 4, 14: 5, 15: 4, 16: 1, 17: 1, 18: 3, 19: 1, 20: 1,
        21: 1, 23: 2, 27: 1, 28: 2, 29: 1, 30: 1, 31: 3, 32: 6, 35: 1, 37: 2, 40: 1, 49: 5, 50: 1, 55: 1, 57: 1, 58: 4, 59: 2, 61: 1, 64: 2,
        69: 6, 70: 4, 71: 6, 74: 2, 75: 1, 77: 1, 79: 1, 80: 1, 87: 2, 92: 2, 93: 2, 94: 1, 101: 3, 102: 2, 103: 1, 106: 8, 107: 3, 111: 2,
        114: 2, 115: 1, 116: 1,
    },
    {3: {1: 4, 2: 4}, 17: {0: 4}, 30: {0: 4}, 111: {0: 1, 1: 1}, 115: {0: 4}},
    calls={16: (0,), 92: (0, 1), 93: (0, 1), 103: (0,)},
)  # fmt: skip
_OPTIONS_2 = Union(
    23,
    {
        1: 1, 2: 1, 3: 3, 4: 17, 5: 6, 6: 2, 7: 7, 8: 2, 9: 1, 10: 3, 11: 1, 12: 5, 13: 6, 14: 3, 15: 2, 16: 6, 17: 1, 19: 1, 20: 1, 21: 5,
        23: 1,
    },
    {
        2: {0: 8}, 3: {0: 8, 1: 8, 2: 8}, 4: {0: 8, 1: 8, 2: 8, 3: 8, 4: 1, 7: 8, 10: 8, 13: 8, 16: 4}, 5: {0: 1, 2: 1, 4: 4, 5: 1},
        6: {0: 8}, 7: {1: 8, 2: 8, 3: 8}, 9: {0: 8}, 10: {0: 8, 1: 8, 2: 8}, 12: {0: 8, 1: 8, 2: 8, 3: 8, 4: 4},
        13: {0: 8, 1: 8, 2: 8, 3: 8, 4: 8}, 16: {0: 8, 1: 8, 2: 8, 4: 8}, 17: {0: 8}, 21: {0: 1, 2: 1}, 23: {0: 4},
    },
    calls={5: (4,), 6: (1,), 7: (6,), 13: (5,), 14: (2,), 15: (0, 1), 21: (1,), 23: (0,)},
)  # fmt: skip
_DETAILS = Union(3, {1: 1, 2: 3, 3: 4}, {1: {0: 1}, 3: {3: 4}}, tensors={2: (0, 1), 3: (0, 1)}, alignment=16)
_SPARSE_INDEX = Union(3, {1: 1, 2: 1, 3: 1}, {1: {0: 4}, 2: {0: 2}, 3: {0: 1}})
# By the field that holds the table; the field of its kind is called the same, and `_type`.
UNIONS: Mapping[str, Union] = {
    "options": _OPTIONS, "options_2": _OPTIONS_2, "details": _DETAILS, "segments": _SPARSE_INDEX, "indices": _SPARSE_INDEX,
}  # fmt: skip

_SPARSITY: Fields = {
    "traversal_order": Field(0, "i", vector=True),
    "block_map": Field(1, "i", vector=True),
    "dim_metadata": Field(
        2,
        {
            "format": Field(0, "b"),
            "dense_size": Field(1, "i"),
            "segments_type": Field(2, "B"),
            "segments": Field(3, "slots"),
            "indices_type": Field(4, "B"),
            "indices": Field(5, "slots"),
        },
        vector=True,
    ),
}
_TENSOR: Fields = {
    "shape": Field(0, "i", vector=True),
    "type": Field(1, "b"),
    "buffer": Field(2, "I"),
    "name": Field(3, "string"),
    "quantization": Field(
        4,
        {
            "min": Field(0, "I", vector=True),  # floats, by their bits
            "max": Field(1, "I", vector=True),
            "scale": Field(2, "I", vector=True),
            "zero_point": Field(3, "q", vector=True),
            "details_type": Field(4, "B"),
            "details": Field(5, "slots"),
            "axis": Field(6, "i"),
        },
    ),
    "is_variable": Field(5, "?"),
    "sparsity": Field(6, _SPARSITY),
    "shape_signature": Field(7, "i", vector=True),
    "has_rank": Field(8, "?"),
    "variant_tensors": Field(9, {"shape": Field(0, "i", vector=True), "type": Field(1, "b"), "has_rank": Field(2, "?")}, vector=True),
    "external_buffer": Field(10, "I"),
}
_OPERATOR: Fields = {
    "opcode_index": Field(0, "I"),
    "inputs": Field(1, "i", vector=True),
    "outputs": Field(2, "i", vector=True),
    "options_type": Field(3, "B"),
    "options": Field(4, "slots"),
    "custom_options": Field(5, "bytes"),
    "custom_options_format": Field(6, "b"),
    "mutating": Field(7, "?", vector=True),
    "intermediates": Field(8, "i", vector=True),
    "large_custom_offset": Field(9, "Q"),
    "large_custom_size": Field(10, "Q"),
    "options_2_type": Field(11, "B"),
    "options_2": Field(12, "slots"),
    "debug_metadata_index": Field(13, "i", default=-1),
}
_TENSOR_MAP: Fields = {"name": Field(0, "string"), "tensor_index": Field(1, "I")}
MODEL: Fields = {
    "version": Field(0, "I"),
    "operator_codes": Field(
        1,
        {"deprecated_code": Field(0, "b"), "custom_code": Field(1, "string"), "version": Field(2, "i", default=1), "code": Field(3, "i")},
        vector=True,
    ),
    "subgraphs": Field(
        2,
        {
            "tensors": Field(0, _TENSOR, vector=True),
            "inputs": Field(1, "i", vector=True),
            "outputs": Field(2, "i", vector=True),
            "operators": Field(3, _OPERATOR, vector=True),
            "name": Field(4, "string"),
            "debug_metadata_index": Field(5, "i", default=-1),
        },
        vector=True,
    ),
    "description": Field(3, "string"),
    "buffers": Field(4, {"data": Field(0, "bytes"), "offset": Field(1, "Q"), "size": Field(2, "Q")}, vector=True),
    "metadata_buffer": Field(5, "i", vector=True),
    "metadata": Field(6, {"name": Field(0, "string"), "buffer": Field(1, "I")}, vector=True),
    "signature_defs": Field(
        7,
        {
            "inputs": Field(0, _TENSOR_MAP, vector=True),
            "outputs": Field(1, _TENSOR_MAP, vector=True),
            "key": Field(2, "string"),
            "deprecated_tag": Field(3, "string"),
            "subgraph_index": Field(4, "I"),
        },
        vector=True,
    ),
    "external_buffer_groups": Field(8, {"name": Field(0, "string")}, vector=True),
    "external_buffers": Field(
        9,
        {"id": Field(0, "I"), "group": Field(1, "I"), "offset": Field(2, "Q"), "length": Field(3, "Q"), "packing": Field(4, "string")},
        vector=True,
    ),
}
