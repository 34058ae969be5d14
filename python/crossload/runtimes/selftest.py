"""The certificate of an adapter: its identity is complete, and tensors of every datatype come back as they were sent (`Echo`)."""

from __future__ import annotations

import numpy as np

from crossload.contract.datatypes import DATATYPES, numpy_dtype
from crossload.errors import CrossloadError
from crossload.runtimes import environments
from crossload.runtimes.registry import Runtime
from crossload.runtimes.supervisor import Limits, Supervisor

_SHAPES: tuple[tuple[int, ...], ...] = ((), (0,), (3,), (2, 0, 3), (1, 2, 1, 3, 1, 2))
_STRINGS = [b"", b"plain", b"\0", b"a\0b", b"\xff\xfe", "東京".encode()]


def certify(runtime: Runtime, limits: Limits) -> str:
    """Start the runtime's worker and test it; a line of its identity.

    Raises WorkerFailure when it dies, hangs or lies, CrossloadError when a tensor comes back changed.
    """
    random = np.random.default_rng(0)
    with Supervisor(runtime.name, environments.prepare(runtime.source), limits) as supervisor:
        identity = supervisor.identity()
        for datatype in DATATYPES:
            for shape in _SHAPES:
                sent = {"x": _tensor(datatype, shape, random)}
                back = supervisor.call({"rpc": "Echo"}, sent, limits.run)
                same = list(back) == ["x"] and back["x"].dtype == sent["x"].dtype and back["x"].shape == shape
                if not same or (back["x"].tolist() != sent["x"].tolist() and back["x"].tobytes() != sent["x"].tobytes()):
                    raise CrossloadError(f"{runtime.name}: a {datatype} tensor of shape {list(shape)} came back changed (Echo)")
    about = identity.parameters
    return ", ".join(
        [f"{identity.runtime} {identity.version}", about["language"], about["os"], about["arch"], str(about.get("native", ""))]
    ).strip(", ")


def _tensor(datatype: str, shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    if datatype == "BYTES":
        array = np.empty(shape, dtype=object)
        for at in np.ndindex(*shape):
            array[at] = _STRINGS[int(random.integers(len(_STRINGS)))]
        return array
    dtype = numpy_dtype(datatype)
    if datatype == "BOOL":
        return random.integers(0, 2, shape).astype(dtype)
    if datatype in ("INT4", "UINT4"):
        return random.integers(0, 8, shape).astype(dtype)
    raw = random.integers(0, 256, (int(np.prod(shape)) * dtype.itemsize,), dtype=np.uint8)
    return raw.view(dtype).reshape(shape)
