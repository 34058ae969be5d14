"""The structure of an HDF5 file, without its data: groups' attributes, and the datatypes and shapes of datasets.

The HDF5 library crashes or hangs on some damaged files, so it runs in a separate process (hdf5_process).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import crossload
from crossload.contract.datatypes import from_tensorflow
from crossload.errors import ArtifactError

# Processor time, so that a busy machine does not look like damage. Ten thousand objects are 4 MB and take one to five seconds.
_SECONDS, _SECONDS_PER_MB, _MOST_SECONDS = 1.0, 10.0, 60.0
_DIGEST_SECONDS, _DIGEST_BYTES_PER_SECOND = 10.0, 20e6  # also of the 256 MB that a small file may unpack to
_WAIT_SECONDS = 600  # for a file that delivers no bytes and uses no processor time


@dataclass(frozen=True)
class Dataset:
    """A dataset: its datatype by the contract's name (else HDF5's own name), its shape, and on request the digest of its elements."""

    datatype: str
    shape: tuple[int, ...]
    sha256: str = ""


@dataclass
class Contents:
    """Groups and datasets by their paths (`model_weights/dense`, the root is ``); `external` are those in other files."""

    attributes: dict[str, dict[str, Any]] = field(default_factory=dict)
    datasets: dict[str, Dataset] = field(default_factory=dict)
    external: list[str] = field(default_factory=list)

    def text(self, group: str, name: str) -> str | None:
        """A group's attribute as text; None if it has no such attribute."""
        value = self.attributes.get(group, {}).get(name)
        return value if isinstance(value, str) else None

    def names(self, group: str, name: str) -> list[str] | None:
        """A list of names in one attribute, or in several if it is too long for one (`layer_names0`, …); None if absent."""
        own = self.attributes.get(group, {})
        if name in own:
            return _listed(own[name])
        found: list[str] = []
        at = 0
        while f"{name}{at}" in own:
            found += _listed(own[f"{name}{at}"])
            at += 1
        return found if at else None


def read(path: Path, *, attributes: tuple[str, ...], offset: int = 0, size: int | None = None, digests: bool = False) -> Contents:
    """The contents of the file, or of the HDF5 file inside it at `offset`; `attributes` are prefixes of the attributes to read.

    With `digests` it also reads the data, for the SHA-256 of each dataset's elements, in time proportional to the file's size. Raises
    ArtifactError for a file that HDF5 cannot read, and for one with too many parts or values.
    """
    seconds = allowed_seconds(path.stat().st_size if size is None else size, digests=digests)
    command = [sys.executable, "-m", "crossload.artifacts.keras.hdf5_process", str(path), str(offset), str(size or ""), str(seconds)]
    command += [*(["--digests"] if digests else []), *attributes]
    # The process must import the same crossload as its parent; numeric libraries need no threads.
    paths = os.pathsep.join(filter(None, [str(Path(crossload.__file__).parent.parent), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1"}
    try:
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=_WAIT_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise ArtifactError(f"{path} could not be read within {_WAIT_SECONDS} s; check its disk") from error
    if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        raise ArtifactError(
            f"{path} is a corrupt HDF5 file (the HDF5 library takes too long for a file of its size); copy or save it again"
        )
    if done.returncode < 0:
        raise ArtifactError(f"{path} is a corrupt HDF5 file (the HDF5 library crashes on it); copy or save it again")
    try:
        result = json.loads(done.stdout)
    except ValueError as error:
        told = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise ArtifactError(f"{path} could not be read by h5py ({' '.join(told)[:200]}); check that `import h5py` works") from error
    if "error" in result:
        raise ArtifactError(f"{path} is a truncated or corrupt HDF5 file ({result['error']}); copy or save it again")
    datasets = {place: Dataset(_datatype(name), tuple(shape), *digest) for place, (name, shape, *digest) in result["datasets"].items()}
    return Contents(result["attributes"], datasets, result["external"])


def allowed_seconds(size: int, *, digests: bool = False) -> float:
    """The processor time that reading a file of so many bytes may take: a small file that takes longer is damaged."""
    structure = min(_SECONDS + _SECONDS_PER_MB * size / 1e6, _MOST_SECONDS)
    return structure + (_DIGEST_SECONDS + size / _DIGEST_BYTES_PER_SECOND if digests else 0)


def _datatype(name: str) -> str:
    try:
        return from_tensorflow(name)
    except KeyError:
        return name


def _listed(value: Any) -> list[str]:
    return [v for v in (value if isinstance(value, list) else [value]) if isinstance(v, str)]
