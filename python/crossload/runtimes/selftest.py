"""The self-test of an adapter: its identity is complete, and tensors of every datatype come back unchanged (`Echo`)."""

from __future__ import annotations

import numpy as np

from crossload.contract.datatypes import DATATYPES, encode, numpy_dtype, of_array
from crossload.errors import CrossloadError, WorkerFailure
from crossload.runtimes import environments
from crossload.runtimes.registry import Runtime
from crossload.runtimes.supervisor import Limits, Supervisor

_SHAPES: tuple[tuple[int, ...], ...] = ((), (0,), (3,), (2, 0, 3), (1, 2, 1, 3, 1, 2))
_LARGE = 3_000_001  # bytes: more than a pipe holds, and than the size from which on tensors go through shared memory
_STRINGS = [b"", b"plain", b"\0", b"a\0b", b"\xff\xfe", "東京".encode()]


def certify(runtime: Runtime, limits: Limits) -> tuple[str, list[str]]:
    """Start the runtime's worker and test it; returns a line of its identity, and the datatypes that it does not carry.

    Raises WorkerFailure if it dies, hangs or breaks the protocol, CrossloadError if a tensor comes back changed or it carries none.
    """
    random = np.random.default_rng(0)
    not_carried = []
    with Supervisor(runtime.name, environments.prepare(runtime.source), limits) as supervisor:
        identity = supervisor.identity()
        for datatype in DATATYPES:
            try:
                for shape in _SHAPES:
                    _echo(supervisor, datatype, _tensor(datatype, shape, random), limits.run)
            except WorkerFailure as failure:
                if failure.outcome != "unsupported":
                    raise
                not_carried.append(datatype)
        if "UINT8" not in not_carried:
            _echo(supervisor, "UINT8", _tensor("UINT8", (_LARGE,), random), limits.run)
    if len(not_carried) == len(DATATYPES):
        raise CrossloadError(f"{runtime.name} carries no datatype at all (Echo answers UNIMPLEMENTED)")
    about = identity.parameters
    parts = [f"{identity.runtime} {identity.version}", about["language"], about["os"], about["arch"], about.get("native", "")]
    return ", ".join(str(p) for p in parts if p), not_carried


def _echo(supervisor: Supervisor, datatype: str, sent: np.ndarray, limit: float) -> None:
    back = supervisor.call({"rpc": "Echo"}, {"x": sent}, limit)
    same = list(back) == ["x"] and of_array(back["x"]) == datatype and back["x"].shape == sent.shape
    if not same or bytes(encode(back["x"])) != bytes(encode(sent)):
        raise CrossloadError(f"{supervisor.name}: a {datatype} tensor of shape {list(sent.shape)} came back changed (Echo)")


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
