"""The file that a device writes: its raw answers to the recorded requests of one artifact. It holds no verdicts, and none are read."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from crossload.contract import datatypes, typed
from crossload.contract.typed import Part
from crossload.errors import CrossloadError, FrameError
from crossload.support.text import printable

if TYPE_CHECKING:
    import numpy as np

KEY = "crossload_device"


@dataclass(kw_only=True)
class AnswerTensor(Part):
    """An output: `hex` is its bytes, little-endian, in C order."""

    name: str
    datatype: str
    shape: list[int]
    hex: str

    def array(self) -> np.ndarray:
        """The elements; raises FrameError for bytes that do not make this tensor."""
        if self.datatype not in datatypes.DATATYPES:
            raise FrameError(f"{self.name!r} has the datatype {self.datatype!r}, which crossload does not know")
        try:
            data = bytes.fromhex(self.hex)
        except ValueError as error:
            raise FrameError(f"the bytes of {self.name!r} are not hexadecimal") from error
        return datatypes.decode(self.datatype, tuple(self.shape), data)


@dataclass(kw_only=True)
class DeviceAnswer(Part):
    """The answer to one vector: its outputs, or the `error` that the device met."""

    signature: str
    vector: str
    outputs: list[AnswerTensor] = field(default_factory=list)
    error: str | None = None
    nanoseconds: int | None = None


@dataclass(kw_only=True)
class DeviceFile(Part):
    """The whole file: `runtime` is what answered, `sha256` that of the artifact, `vectors` those of the vectors files by signature, and
    `device` words about the device (name, soc, os)."""

    crossload_device: Literal[1]
    runtime: str
    artifact: str
    sha256: str
    vectors: dict[str, str]
    device: dict[str, str] = field(default_factory=dict)
    answers: list[DeviceAnswer]


def is_device_file(path: Path) -> bool:
    """Whether a JSON file begins as a device's does; False for one that cannot be read."""
    try:
        with path.open("rb") as stream:
            return f'"{KEY}"'.encode() in stream.read(4096)
    except OSError:
        return False


def read(path: Path) -> DeviceFile:
    """The device's answers; raises CrossloadError for a file that cannot be read or is no such file. Keys that it does not know, such as
    a verdict, are ignored."""
    try:
        return typed.read(DeviceFile, json.loads(path.read_bytes()), ignore_unknown=True)
    except OSError as error:
        raise CrossloadError(f"the device's answers {path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else printable(str(error))
        raise CrossloadError(
            f"{path} does not hold a device's answers: {why}; the program of a handoff writes such a file (--json FILE)"
        ) from error
