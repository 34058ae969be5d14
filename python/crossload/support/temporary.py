"""Temporary files and folders, each locked by its process while it lives: the next process removes what a killed one left behind.

The system frees a lock (flock) when its process ends, however it ends, so a lock that can be taken means that the owner is dead.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SCRATCH = "crossload-scratch-"
_RANDOM = "[0-9a-f]{8}"
# Another process may take a new file for one left behind, before it is locked; not so often.
_TRIES = 100
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)


def remove(path: Path) -> None:
    """Delete a file or a folder with its content, as far as the system allows it."""
    import shutil

    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


@contextmanager
def folder_in(parent: Path, prefix: str, discard: Callable[[Path], None] = remove) -> Iterator[Path]:
    """A new folder `parent`/`prefix`…, which nobody else discards while the block runs; afterwards it is discarded."""
    with _claimed(parent, prefix, "", lambda path: path.mkdir(0o700), discard) as made:
        yield made


@contextmanager
def file_in(parent: Path, prefix: str, suffix: str) -> Iterator[Path]:
    """A new empty file `parent`/`prefix`…`suffix`, which nobody else deletes while the block runs; afterwards it is deleted."""
    with _claimed(parent, prefix, suffix, lambda path: path.touch(0o600, exist_ok=False), remove) as made:
        yield made


@contextmanager
def scratch() -> Iterator[Path]:
    """A temporary folder in $TMPDIR; an error of its disk names it."""
    place = next((Path(p) for p in (os.environ.get("TMPDIR"), "/tmp") if p and os.access(p, os.W_OK)), Path("/var/tmp"))
    with naming(place), folder_in(place, SCRATCH) as made, naming(made):
        yield made


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """An OSError about a full or broken disk, or about a temporary file of `path`, names `path`."""
    try:
        yield
    except OSError as error:
        # shutil.copytree raises a list of what it could not copy.
        if error.errno is None and (number := re.search(r"\[Errno (\d+)\]", str(error))):
            raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error
        name = None if error.filename is None else os.fsdecode(error.filename)
        if error.errno in _DISK if name is None else name.startswith(str(path.parent / f".{path.name}.")):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def discard_left(parent: Path, prefix: str, suffix: str = "", discard: Callable[[Path], None] = remove) -> None:
    """Discard what processes that are gone left in `parent` under such names."""
    pattern = re.compile(re.escape(prefix) + _RANDOM + re.escape(suffix))
    with suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            if pattern.fullmatch(entry.name):
                with suppress(OSError):
                    _discard_if_left(Path(entry.path), discard)


def locks(descriptor: int) -> bool:
    """Take the lock of an open file or folder without waiting; False if another process has it. It ends with the descriptor."""
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file or folder still has this name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


@contextmanager
def _claimed(parent: Path, prefix: str, suffix: str, make: Callable[[Path], None], discard: Callable[[Path], None]) -> Iterator[Path]:
    discard_left(parent, prefix, suffix, discard)
    for tries_left in reversed(range(_TRIES)):
        made = parent / f"{prefix}{os.urandom(4).hex()}{suffix}"
        try:
            make(made)
            descriptor = os.open(made, os.O_RDONLY)
        except (FileExistsError, FileNotFoundError):
            if not tries_left or not parent.is_dir():  # /proc is a folder in which nothing can be made
                raise
            continue  # another has this name, or took it for left behind before it was locked
        # A file system without locks: nobody can take what is made here for left behind, because nobody can lock it.
        with suppress(OSError):
            locks(descriptor)
        if is_at(descriptor, made):
            break
        os.close(descriptor)
    else:
        raise FileNotFoundError(errno.ENOENT, "every temporary file in it vanishes at once", str(parent))
    try:
        yield made
    finally:
        discard(made)
        os.close(descriptor)


def _discard_if_left(path: Path, discard: Callable[[Path], None]) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        about = os.fstat(descriptor)
        ordinary = stat.S_ISDIR(about.st_mode) or stat.S_ISREG(about.st_mode)
        if ordinary and about.st_uid == os.geteuid() and locks(descriptor) and is_at(descriptor, path):
            discard(path)
    finally:
        os.close(descriptor)
