"""One writer at a time: locks a destination against a second process of this user."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
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


def check(
    destination: Path, kind: str, is_ours: Callable[[Path], bool], *, overwrite: bool, source: Path | None = None, itself: bool = False
) -> None:
    """Raise CrossloadError where `destination` may not be written.

    It may not be inside `source` (nor be it, with `itself`). If it exists and is not an empty folder, it must be a `kind`, as `is_ours`
    tells, and `overwrite` must be set.
    """
    if source is not None and source.is_dir():
        inside = source.resolve() in destination.resolve().parents
        if inside or (itself and source.resolve() == destination.resolve()):
            raise CrossloadError(f"{destination} is inside {source}; writing there would change the source: name another folder")
    if not destination.exists() or (destination.is_dir() and not any(destination.iterdir())):
        return
    if not is_ours(destination):
        raise CrossloadError(f"{destination} exists and is not a {kind}; name another")
    if not overwrite:
        raise CrossloadError(f"{destination} exists; --overwrite replaces it")
