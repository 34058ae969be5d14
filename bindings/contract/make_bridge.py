"""Writes bridge.json, the example values of every pair of datatypes of a bridge: `python make_bridge.py > bridge.json`.

Made with struct alone, so that the values do not come from the code that they test. `bytes` are hexadecimal, as on the wire.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence

# Datatype, carrier, and how struct packs an element of each.
CASTS: list[tuple[str, str, str, str, list[float]]] = [
    ("INT4", "INT32", "b", "i", [-8, -1, 0, 1, 7]),
    ("UINT4", "INT32", "B", "i", [0, 1, 15]),
    ("INT8", "INT32", "b", "i", [-128, -1, 0, 1, 127]),
    ("INT16", "INT32", "h", "i", [-32768, -1, 0, 1, 32767]),
    ("UINT16", "INT32", "H", "i", [0, 1, 32768, 65535]),
    ("UINT32", "INT64", "I", "q", [0, 1, 2**31, 2**32 - 1]),
    ("FP16", "FP32", "e", "f", [0.0, -0.0, 1.5, -65504.0, 2.0**-24, float("inf"), float("-inf")]),
]
# Both sides are stated.
BITS: list[tuple[str, str, str, list[float], str, list[float]]] = [
    ("UINT64", "INT64", "Q", [0, 1, 2**63, 2**64 - 1], "q", [0, 1, -(2**63), -1]),
    # 0, 1, -1, the least above 0, the greatest; float8_e5m2 has infinities.
    ("FP8_E4M3FN", "FP32", "B", [0x00, 0x38, 0xB8, 0x01, 0x7E], "f", [0.0, 1.0, -1.0, 2.0**-9, 448.0]),
    ("FP8_E5M2", "FP32", "B", [0x00, 0x3C, 0xBC, 0x01, 0x7B, 0x7C], "f", [0.0, 1.0, -1.0, 2.0**-16, 57344.0, float("inf")]),
    # bfloat16 is the upper half of a float32: 0, -0, 1.5, the greatest, infinity.
    ("BF16", "FP32", "H", [0, 0x8000, 0x3FC0, 0x7F7F, 0x7F80], "I", [0, 0x80000000, 0x3FC00000, 0x7F7F0000, 0x7F800000]),
]
COMPLEX = [("COMPLEX64", "FP32", "f"), ("COMPLEX128", "FP64", "d")]


def packed(code: str, values: Sequence[float]) -> str:
    """Little-endian bytes, hexadecimal."""
    return struct.pack(f"<{len(values)}{code}", *values).hex()


def pair(datatype: str, carrier: str, shape: list[int], own: str, carried_shape: list[int], carried: str) -> dict[str, object]:
    """An element of the file."""
    return {
        "datatype": datatype,
        "shape": shape,
        "bytes": own,
        "carrier": carrier,
        "carrier_shape": carried_shape,
        "carrier_bytes": carried,
    }


def main() -> None:
    """Print the file."""
    values = [pair(d, c, [len(v)], packed(a, v), [len(v)], packed(b, v)) for d, c, a, b, v in CASTS]
    values += [pair(d, c, [len(v)], packed(a, v), [len(w)], packed(b, w)) for d, c, a, v, b, w in BITS]
    numbers = [1.5, -2.0, 0.0, -0.0, float("inf"), 3.0]
    values += [pair(d, c, [3, 1], packed(a, numbers), [3, 1, 2], packed(a, numbers)) for d, c, a in COMPLEX]
    values.append(pair("INT8", "INT32", [], packed("b", [-128]), [], packed("i", [-128])))
    print(json.dumps(values, indent=1))


if __name__ == "__main__":
    main()
