"""A TensorInfo's plain tensors: itself, the three of a sparse tensor, or a composite's components (meta_graph.proto)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

_INT64 = 9  # types.proto


class Part(NamedTuple):
    """One tensor: its name in the signature, the graph's tensor, the number of its DataType, its shape (None: unknown rank)."""

    name: str
    tensor: str
    datatype: int
    shape: tuple[int, ...] | None


def parts(name: str, info: Any) -> Iterator[Part]:
    """The tensors of `info`: `x` of a plain one; `x/values`, `x/indices`, `x/dense_shape` of a sparse one; `x/0`, `x/1`, … of others."""
    encoding = info.WhichOneof("encoding")
    if encoding == "composite_tensor":
        for at, component in enumerate(info.composite_tensor.components):
            yield from parts(f"{name}/{at}", component)
        return
    shape = None
    if info.HasField("tensor_shape") and not info.tensor_shape.unknown_rank:
        shape = tuple(max(-1, int(d.size)) for d in info.tensor_shape.dim)
    if encoding == "coo_sparse":
        sparse, rank = info.coo_sparse, -1 if shape is None else len(shape)
        yield Part(f"{name}/values", sparse.values_tensor_name, info.dtype, (-1,))
        yield Part(f"{name}/indices", sparse.indices_tensor_name, _INT64, (-1, rank))
        yield Part(f"{name}/dense_shape", sparse.dense_shape_tensor_name, _INT64, (rank,))
    else:
        yield Part(name, info.name, info.dtype, shape)
