"""Reads an HDF5 file for artifacts.keras.hdf5: `python -m crossload.artifacts.keras.hdf5_process PATH OFFSET SIZE SECONDS ATTRIBUTE…`.

Links are read but never followed: a soft link may form a cycle, an external one leave the file (HDF5 file format, Link message).
Prints one JSON object: `{"attributes": {group: {name: value}}, "datasets": {path: [datatype, shape]}, "external": [path]}`, or `{"error"}`.
With --digests before the attributes, a dataset's third item is the SHA-256 of its elements, little-endian and in row-major order.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import sys
import time
from contextlib import suppress
from typing import Any

import h5py

_MOST_OBJECTS = 1_000_000
_MOST_DEPTH = 64
_MOST_VALUES = 1_000_000
_MOST_BYTES = 256 << 20
_MOST_MEMORY, _LEAST_MEMORY, _MEMORY_PER_BYTE = 4 << 30, 1 << 30, 64
_DIGESTS = "--digests"
# Chunks may be compressed, and unwritten ones are zeros: a small file must not cause hours of hashing.
_MOST_EXPANSION = 16
_SLAB = 16 << 20


class Window(io.RawIOBase):
    """A part of a file as a file: a member of a zip archive stored without compression."""

    def __init__(self, path: str, offset: int, size: int) -> None:
        self._file = open(path, "rb")  # noqa: SIM115, PTH123 - it lives as long as this does, which the process does not outlive
        self._offset, self._size, self._at = offset, size, 0

    def seek(self, to: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, to + (0, self._at, self._size)[whence])
        return self._at

    def tell(self) -> int:
        return self._at

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = max(0, min(len(buffer), self._size - self._at))
        self._file.seek(self._offset + self._at)
        data = self._file.read(count)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def contents(path: str, offset: int, size: int | None, wanted: tuple[str, ...]) -> dict[str, Any]:
    """The object that `main` prints. Raises any exception of the library for a damaged file."""
    with h5py.File(path if size is None else Window(path, offset, size), "r") as file:
        if wanted[:1] != (_DIGESTS,):
            return _walk(file, wanted)
        found = _walk(file, wanted[1:])
        held = {place: file[place] for place in found["datasets"] if place not in found["external"]}
        total = sum(dataset.size * dataset.dtype.itemsize for dataset in held.values() if dataset.shape is not None)
        if total > _MOST_EXPANSION * max(os.path.getsize(path), _SLAB):  # noqa: PTH202 - pathlib takes longer to import
            raise ValueError(f"its {total:,} bytes of values are too many for a file of its size")
        for place, dataset in held.items():
            found["datasets"][place] = (*found["datasets"][place], _digest(dataset))
        return found


def _digest(dataset: Any) -> str:
    digest = hashlib.sha256()
    if dataset.shape is None:
        return digest.hexdigest()
    if not dataset.shape:
        digest.update(_bytes(dataset[()]))
        return digest.hexdigest()
    row = max(1, math.prod(dataset.shape[1:]) * dataset.dtype.itemsize)
    step = max(1, _SLAB // row)
    for start in range(0, dataset.shape[0], step):
        digest.update(_bytes(dataset[start : start + step]))
    return digest.hexdigest()


def _bytes(values: Any) -> bytes:
    if getattr(values, "dtype", None) is None or values.dtype.kind == "O":
        texts = values.reshape(-1).tolist() if hasattr(values, "reshape") else [values]
        return b"".join(hashlib.sha256(t if isinstance(t, bytes) else str(t).encode()).digest() for t in texts)
    data: bytes = values.astype(values.dtype.newbyteorder("<")).tobytes()
    return data


def _walk(file: Any, wanted: tuple[str, ...]) -> dict[str, Any]:
    attributes: dict[str, dict[str, Any]] = {}
    datasets: dict[str, tuple[Any, ...]] = {}
    external: list[str] = []
    seen = set()
    waiting = [(file, "", 0)]
    budget = [_MOST_BYTES]
    while waiting:
        group, place, depth = waiting.pop()
        attributes[place] = _attributes(group, wanted, budget)
        groups = []
        for name in group:
            inner = f"{place}/{name}" if place else name
            budget[0] -= len(inner)
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                external.append(inner)
            if not isinstance(link, h5py.HardLink):
                continue
            member = group[name]
            if isinstance(member, h5py.Dataset):
                datasets[inner] = _described(member)
                if member.is_virtual or member.external:
                    external.append(inner)
            elif isinstance(member, h5py.Group):
                address = h5py.h5o.get_info(member.id).addr
                if address not in seen and depth < _MOST_DEPTH:
                    seen.add(address)
                    groups.append((member, inner, depth + 1))
            if len(datasets) + len(seen) > _MOST_OBJECTS or budget[0] < 0:
                raise ValueError("it has more objects than any model")
        waiting += reversed(groups)
    return {"attributes": attributes, "datasets": datasets, "external": external}


def _described(dataset: Any) -> tuple[str, list[int]]:
    # Keras records the datatype in an attribute if HDF5 lacks it (bfloat16).
    noted = dataset.attrs.get("dtype") if "dtype" in dataset.attrs else None
    name = noted if isinstance(noted, str) else "string" if dataset.dtype.kind in "OSU" else dataset.dtype.name
    return name, [int(d) for d in dataset.shape or ()]


def _attributes(group: Any, wanted: tuple[str, ...], budget: list[int]) -> dict[str, Any]:
    found = {}
    for name in group.attrs:
        if name.startswith(wanted):
            attribute = group.attrs.get_id(name)
            count = attribute.get_space().get_simple_extent_npoints()
            budget[0] -= count * max(attribute.dtype.itemsize, 1)
            if count > _MOST_VALUES or budget[0] < 0:
                raise ValueError(f"its attribute {name} has {count:,} values, more than any model")
            value = group.attrs[name]
            found[name] = _plain(value.tolist() if hasattr(value, "tolist") else value)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value if isinstance(value, str) else None


def main(path: str, offset: str, size: str, seconds: str, *wanted: str) -> None:
    """Print the contents or the error, with limits on memory and processor time (SIGXCPU ends the process)."""
    with suppress(ImportError, ValueError, OSError):  # not on every platform
        import resource

        limit = math.ceil(time.process_time() + float(seconds))  # the imports are done
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
        memory = min(_MOST_MEMORY, _LEAST_MEMORY + _MEMORY_PER_BYTE * (int(size) if size else os.path.getsize(path)))  # noqa: PTH202
        resource.setrlimit(resource.RLIMIT_AS, (memory, resource.getrlimit(resource.RLIMIT_AS)[1]))
    try:
        result = contents(path, int(offset), int(size) if size else None, wanted)
    except Exception as error:  # noqa: BLE001 - a damaged file makes the library raise a dozen kinds of errors
        result = {"error": (str(error).splitlines() or [type(error).__name__])[0][:200]}
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
