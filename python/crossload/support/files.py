"""Files written whole or not at all, and their digests (bindings/contract/README.md, section Manifest)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CHUNK = 1 << 20


def sha256(path: Path) -> str:
    """The digest of a file's bytes; of a folder, the digest of the lines `<sha256>  <path inside>\\n` in the byte order of the paths."""
    import hashlib  # OpenSSL takes as long to load as a small artifact to read

    digest = hashlib.sha256()
    if path.is_dir():
        for inner in sorted((p for p in path.rglob("*") if p.is_file()), key=lambda p: os.fsencode(p.relative_to(path).as_posix())):
            digest.update(sha256(inner).encode() + b"  " + os.fsencode(inner.relative_to(path).as_posix()) + b"\n")
        return digest.hexdigest()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def size_bytes(path: Path) -> int:
    """The bytes of a file, or of all files in a folder."""
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file()) if path.is_dir() else path.stat().st_size


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all; a lone surrogate (from a name that is not UTF-8) is escaped as in JSON."""
    with written_whole(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace")


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A temporary file beside `path`; it takes `path`'s name when the block succeeds and is deleted when it fails.

    For a link, the target is written; an existing special file (a pipe, a terminal) is written directly. An OSError names `path`.
    """
    from crossload.support import temporary

    if path.exists() and not path.is_file():
        yield path
        return
    path = path.resolve()
    with temporary.naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.file_in(path.parent, f".{path.name}.partial-", path.suffix) as partial:
            yield partial
            _sync(partial)
            partial.chmod(0o666 & ~_umask())
            partial.replace(path)


@contextmanager
def folder_written_whole(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path`; it replaces `path` when the block succeeds and is deleted when it fails.

    An OSError about its disk names `path`.
    """
    from crossload.support import temporary

    path = path.resolve()
    with folder_beside(path) as partial:
        yield partial
        for inner in partial.rglob("*"):
            if inner.is_file():
                _sync(inner)
        if not os.path.lexists(path):
            partial.rename(path)
        elif not exchange(partial, path):
            with temporary.folder_in(path.parent, _old(path), lambda old: _settle(path, old)) as old:
                path.rename(old / path.name)
                partial.rename(path)


@contextmanager
def folder_beside(path: Path) -> Iterator[Path]:
    """A temporary folder on the disk of `path`, deleted after the block; what killed processes left of `path` is put in order first.

    An OSError about its disk names `path`.
    """
    from crossload.support import temporary

    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    restore(path)
    with temporary.naming(path), temporary.folder_in(path.parent, f".{path.name}.partial-") as partial:
        partial.chmod(0o777 & ~_umask())
        yield partial


def restore(path: Path) -> None:
    """Put back the folder that `folder_written_whole` set aside before its process was killed, if nothing took its place."""
    from crossload.support import temporary

    path = path.resolve()
    temporary.discard_left(path.parent, _old(path), discard=lambda old: _settle(path, old))


def exchange(one: Path, other: Path) -> bool:
    """Exchange the names of two paths at once (renameat2(2), RENAME_EXCHANGE); False where the system or the file system cannot."""
    import ctypes

    try:
        renameat2 = ctypes.CDLL(None).renameat2
    except (OSError, AttributeError):
        return False
    here = -100  # AT_FDCWD
    return bool(renameat2(here, os.fsencode(one), here, os.fsencode(other), 2) == 0)


def _old(path: Path) -> str:
    return f".{path.name}.old-"


def _settle(path: Path, old: Path) -> None:
    """Discard the folder `old` that held `path`; first, what it holds comes back if nothing took its place."""
    from crossload.support import temporary

    if os.path.lexists(old / path.name) and not os.path.lexists(path):
        (old / path.name).rename(path)
    temporary.remove(old)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
