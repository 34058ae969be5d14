"""Fuzzing of everything that reads a .tflite before a runtime starts: `python -m tests.artifacts.tflite.fuzz SEEDS -runs=200000`.

SEEDS is a folder of .tflite files; the options are libFuzzer's. It needs atheris, which is no requirement of crossload: its wheel is for
some Pythons only. Hostile bytes may raise CrossloadError, and nothing else; libFuzzer reports what hangs or takes much memory.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from crossload import artifacts
from crossload.artifacts.canonical import canonical_tflite
from crossload.artifacts.entries import artifacts_of
from crossload.artifacts.tflite import inner, quantised
from crossload.cli.pages import tflite as shown
from crossload.cli.pages.page import Page
from crossload.errors import CrossloadError
from crossload.inputs.requests import Requests, draw
from crossload.verbs.check import tflite_prediction

_INTERESTING = (0, 1, 4, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFC, 0xFFFFFFFF)
# Requests of files that ask for more are not drawn: the reader's own work is what is tried.
_MOST_DRAWN = 1 << 12


def read_everything(path: Path) -> None:
    """All that show, check, convert and verify read of a .tflite without running it. Raises CrossloadError for one that is damaged."""
    found = artifacts.read(path)
    if found.format != "tflite":
        return
    json.dumps(found.to_json())
    for _ in shown.lines(found, Page()):
        pass
    canonical_tflite.digest(path)
    entries, signatures = artifacts_of(path, path.name)
    tflite_prediction.would_do(path, bindings=entries[0].bindings, found=found)
    for name, binding in entries[0].bindings.items():
        graph = inner.read(path, binding.key)
        for tensor in graph.tensors:
            graph.value(tensor)
        quantised.kind(path, binding.key)
        quantised.steps(path, binding.outputs, binding.key)
        quantised.ranges(path, {t.name: t for t in signatures[name].inputs}, binding.key)
        if all(t.shape and 0 < len(t.shape) < 6 and max(t.shape) < 16 for t in signatures[name].inputs):
            draw(signatures[name], Requests(count=1))


def is_read_or_refused(data: bytes, path: Path) -> bool:
    """Whether the bytes, written to `path`, are read; False if they are refused with a sentence."""
    path.write_bytes(data)
    try:
        read_everything(path)
    except CrossloadError as error:
        assert len(str(error)) > 20
        return False
    return True


def mutants(seed: bytes, count: int, source: random.Random) -> Iterator[bytes]:
    """The file with some of its numbers replaced, cut off, or with a piece moved."""
    for _ in range(count):
        data = bytearray(seed)
        for _ in range(source.choice((1, 1, 2, 4, 16))):
            at = source.randrange(len(data))
            match source.randrange(4):
                case 0:
                    data[at] = source.randrange(256)
                case 1:
                    at -= at % 4
                    data[at : at + 4] = source.choice(_INTERESTING).to_bytes(4, "little")
                case 2:
                    to = source.randrange(len(data))
                    data[at : at + 8] = data[to : to + 8]
                case _ if source.random() < 0.2:
                    del data[max(8, at) :]
                    break
        yield bytes(data)


def main() -> None:
    """Run libFuzzer until its -runs are done; it ends with a report at the first other exception."""
    import atheris  # type: ignore[import-not-found]

    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        path = Path(folder, "fuzzed.tflite")
        atheris.Setup(sys.argv, lambda data: is_read_or_refused(data, path))
        atheris.instrument_all()
        atheris.Fuzz()


if __name__ == "__main__":
    main()
