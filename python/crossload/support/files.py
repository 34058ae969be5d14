"""Files written whole or not at all, and their digests (bindings/contract/README.md, section Manifest)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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

    For a link, the target is written; an existing special file (a pipe, a terminal) is written directly.
    """
    import tempfile

    if path.exists() and not path.is_file():
        yield path
        return
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        _sync(partial)
        partial.chmod(0o666 & ~_umask())
        partial.replace(path)
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()


@contextmanager
def folder_written_whole(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path`; it replaces `path` when the block succeeds and is deleted when it fails."""
    import shutil
    import tempfile

    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{path.name}.partial-", dir=path.parent))
    try:
        partial.chmod(0o777 & ~_umask())
        yield partial
        for inner in partial.rglob("*"):
            if inner.is_file():
                _sync(inner)
        old = Path(tempfile.mkdtemp(prefix=f".{path.name}.old-", dir=path.parent))
        try:
            if path.exists():
                path.rename(old / path.name)
            partial.rename(path)
        except BaseException:  # Ctrl-C between the two
            if (old / path.name).exists():
                (old / path.name).rename(path)
            raise
        finally:
            shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


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
