"""Parts of partitioned variables: their keys in both versions of checkpoints, and how to join them.

Sources: tensorflow/core/framework/tensor_slice.proto; tensorflow/core/util/saved_tensor_slice_util.cc and
tensorflow/core/lib/strings/ordered_code.cc (keys of parts).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from crossload.artifacts.checkpoints.leveldb_table import Damage

if TYPE_CHECKING:
    import numpy as np

WHOLE = -1  # a part's length along a dimension that is not divided
# tensorflow/core/framework/tensor_shape.h: the maximum rank.
MOST_DIMENSIONS = 254

# A part of a tensor: (start, length) for each dimension.
Slice = tuple[tuple[int, int], ...]


def of_proto(proto: Any) -> Slice:
    """The part that a TensorSliceProto describes; a missing length is WHOLE."""
    return tuple((e.start, e.length if e.HasField("length") else WHOLE) for e in proto.extent)


def extents(part: Slice, shape: tuple[int, ...]) -> Slice:
    """A part with every length resolved."""
    return tuple((start, size if length == WHOLE else length) for (start, length), size in zip(part, shape, strict=False))


def is_inside(part: Slice, shape: tuple[int, ...]) -> bool:
    """Whether a tensor of this shape contains this part."""
    written = extents(part, shape)
    return len(part) == len(shape) and all(s >= 0 and n >= 0 and s + n <= size for (s, n), size in zip(written, shape, strict=True))


def part_key(name: bytes, part: Slice) -> bytes:
    """The key of a variable's part: 0, its name, the rank, and starts and lengths, encoded so that bytes sort as values."""
    # Both escapes contain both bytes, so one must not see the output of the other.
    escaped = re.sub(rb"[\0\xff]", lambda c: b"\0\xff" if c[0] == b"\0" else b"\xff\0", name)
    numbers = b"".join(_signed(number) for extent in part for number in extent)
    return b"\0" + escaped + b"\0\1" + (bytes((1, len(part))) if part else b"\0") + numbers


def _signed(value: int) -> bytes:
    """A number in as many bytes as it needs, seven bits in each; leading ones (zeros if negative) give the count, as in UTF-8."""
    length = (value if value >= 0 else ~value).bit_length() // 7 + 1
    mark = ((1 << length) - 1) << (7 * length)
    return ((value & ((1 << 8 * length) - 1)) ^ mark).to_bytes(length, "big")


def joined(shape: tuple[int, ...], dtype: np.dtype, parts: Sequence[tuple[Slice, Callable[[], np.ndarray]]]) -> np.ndarray:
    """The tensor of these parts, each given as its position (lengths resolved) and a function that reads it.

    Raises Damage, before it allocates memory, where the parts do not cover the shape or overlap.
    """
    if sum(math.prod(length for _, length in part) for part, _ in parts) != math.prod(shape):
        raise Damage("its parts do not cover its shape")
    if len(parts) == 1:
        return parts[0][1]().reshape(shape)
    import numpy as np

    whole = np.empty(shape, dtype)
    covered = np.zeros(shape, bool)
    for part, read in parts:
        region = tuple(slice(start, start + length) for start, length in part)
        if covered[region].any():
            raise Damage("its parts overlap")
        covered[region] = True
        whole[region] = read()
    return whole
