"""One writer at a time: locks a destination against a second process of this user."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import filelock

from crossload.errors import CrossloadError
from crossload.support.cache import cache_folder


@contextmanager
def only_writer(destination: Path, what: str) -> Iterator[None]:
    """Hold `destination` while the block runs; raises CrossloadError when another process (`what`: export, conversion) holds it."""
    folder = cache_folder() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / sha256(os.fsencode(destination.resolve())).hexdigest()[:16])
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise CrossloadError(f"another {what} is writing {destination}; wait for it, or name another destination") from None
    try:
        yield
    finally:
        lock.release()
