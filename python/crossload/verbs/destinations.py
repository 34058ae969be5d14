"""One writer at a time: locks a destination against a second process of any user."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from crossload.errors import CrossloadError
from crossload.support import files, temporary


@contextmanager
def only_writer(destination: Path, what: str) -> Iterator[None]:
    """Hold `destination` while the block runs; raises CrossloadError when another process (`what`: export, conversion) holds it.

    The lock is a file beside the destination, so that it excludes all who can write there; it is deleted with the block. What a writer
    that was killed set aside is restored first.
    """
    place = destination.resolve()
    made = [p for p in place.parents if not p.exists()]
    place.parent.mkdir(parents=True, exist_ok=True)
    file = place.with_name(f".{place.name}.lock")
    with temporary.naming(place):
        descriptor = _locked(file)
    if descriptor is None:
        raise CrossloadError(f"another {what} is writing {destination}; wait for it, or name another destination")
    try:
        files.restore(place)
        yield
    finally:
        with suppress(OSError):  # another user's, in a folder like /tmp: it stays, and excludes nobody
            file.unlink()
        os.close(descriptor)
        for parent in made:  # a failure leaves no new folder behind
            with suppress(OSError):
                parent.rmdir()


def _locked(file: Path) -> int | None:
    """A descriptor that holds the lock of this file, which is made; None if another process holds it."""
    while True:
        descriptor = _opened(file)
        try:
            free = temporary.locks(descriptor)
        except OSError:  # a file system without locks: renaming keeps each result whole
            free = True
        if free and temporary.is_at(descriptor, file):
            return descriptor
        os.close(descriptor)
        if not free:
            return None


def _opened(file: Path) -> int:
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    except PermissionError:
        if not file.exists():
            raise
        return os.open(file, os.O_RDONLY | os.O_NOFOLLOW)  # another user's: it can be locked all the same
    with suppress(PermissionError):
        os.fchmod(descriptor, 0o644)  # whatever the umask, for other users
    return descriptor


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
