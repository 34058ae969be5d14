"""Files packed with a .tflite (labels, vocabularies): the zip archive that TFLite's metadata appends to the flatbuffer (APPNOTE.TXT)."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from crossload.errors import ArtifactError, CrossloadError
from crossload.support import files

# Labels and vocabularies have some megabytes. What the archive states about a size is checked, and so is what comes out of it.
_MOST_BYTES, _MOST_FILES = 1 << 30, 10_000
_PIECE = 1 << 20
_ENCRYPTED = 1
_END, _ENTRY, _MOST_TAIL = struct.Struct("<4s4H2IH"), struct.Struct("<4s6H3I5H2I"), (1 << 16) + 22


@dataclass(frozen=True)
class PackedFile:
    """A file of the archive, as the archive states it."""

    name: str
    size_bytes: int

    def to_json(self) -> dict[str, Any]:
        """An element of `packed_files` in `show --json`."""
        return dict(vars(self))


def packed_files(path: Path) -> tuple[PackedFile, ...]:
    """The files packed with a .tflite, none where it has no archive. Raises ArtifactError for an archive that cannot be read."""
    with _archive(path) as archive:
        return tuple(PackedFile(i.filename, i.file_size) for i in archive.infolist() if not i.is_dir()) if archive else ()


def extract(path: Path, folder: Path) -> tuple[PackedFile, ...]:
    """Write the packed files into a new folder, whole or not at all, and return them.

    Raises ArtifactError for an archive that cannot be read, and CrossloadError for a file without one, a folder that exists, and an
    archive whose names lead outside the folder or meet each other, or that is encrypted or unpacks to more than 1 GiB.
    """
    if folder.exists() or folder.is_symlink():
        raise CrossloadError(f"{folder} exists; name a new folder for the packed files of {path}")
    with _archive(path) as archive:
        if archive is None:
            raise CrossloadError(f"{path} has no packed files; `crossload show {path}` lists what it has")
        entries = [i for i in archive.infolist() if not i.is_dir()]
        _check(path, entries)
        with files.folder_written_whole(folder) as partial:
            room = _MOST_BYTES
            for entry in entries:
                target = partial.joinpath(*PurePosixPath(entry.filename).parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                room -= _write(path, archive, entry, target, room)
    return tuple(PackedFile(i.filename, i.file_size) for i in entries)


def _check(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    if sum(i.file_size for i in entries) > _MOST_BYTES or len(entries) > _MOST_FILES:
        raise CrossloadError(
            f"the files packed with {path} unpack to more than 1 GiB or {_MOST_FILES:,} files; unpack it with a zip program"
        )
    for entry in entries:
        parts = PurePosixPath(entry.filename).parts
        if not parts or PurePosixPath(entry.filename).is_absolute() or ".." in parts or "\\" in entry.filename or ":" in parts[0]:
            raise CrossloadError(f"{path} has a packed file {entry.filename!r}, whose name leads outside the folder; nothing was written")
        if entry.flag_bits & _ENCRYPTED:
            raise CrossloadError(f"{path} has an encrypted packed file {entry.filename!r}; unpack it with a zip program and its password")
    names = Counter(PurePosixPath(i.filename) for i in entries)
    folders = {parent for name in names for parent in name.parents}
    if twice := next((n for n, count in names.items() if count > 1 or n in folders), None):
        raise CrossloadError(f"{path} has two packed files {str(twice)!r}; nothing was written")


def _write(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, room: int) -> int:
    written = 0
    try:
        with archive.open(entry) as stream, target.open("xb") as out:
            while piece := stream.read(_PIECE):
                written += len(piece)
                if written > room:
                    raise CrossloadError(f"the files packed with {path} unpack to more than 1 GiB, more than they state")
                out.write(piece)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, RuntimeError) as error:
        raise ArtifactError(f"the packed file {entry.filename!r} of {path} cannot be read: {error}; copy the model again") from error
    return written


@dataclass(frozen=True)
class Archive:
    """Where the archive is in the file's bytes: its first packed file, its directory, and the record after that."""

    start: int
    directory: int
    end: int


def archive(data: Any) -> Archive | None:
    """The archive at the end of a .tflite's bytes; None where there is none whose offsets count from the file's beginning.

    APPNOTE.TXT of the zip format: end of central directory (4.3.16) and its entries (4.3.12).
    """
    end = data.rfind(b"PK\5\6", max(0, len(data) - _MOST_TAIL))
    if not 0 <= end <= len(data) - _END.size:
        return None
    _, _, _, _, count, size, start, _ = _END.unpack_from(data, end)
    if start + size != end or not start:
        return None
    at, first = start, start
    for _ in range(count):
        if data[at : at + 4] != b"PK\1\2" or at + _ENTRY.size > end:
            return None
        *_, name, extra, comment, _, _, _, place = _ENTRY.unpack_from(data, at)
        first = min(first, place)
        at += _ENTRY.size + name + extra + comment
    return Archive(first, start, end)


def moved(data: Any, there: Archive, to: int) -> bytes:
    """The archive's bytes with the offsets that it has when it begins at `to` in another file. Raises CrossloadError beyond 4 GB."""
    by, tail, at = to - there.start, bytearray(data[there.start :]), there.directory - there.start
    if to + len(tail) >= 1 << 32:
        raise CrossloadError("the files packed with the .tflite would be beyond the 4 GB that their archive can address; remove them first")
    end = there.end - there.start
    while at < end:
        *_, name, extra, comment, _, _, _, place = _ENTRY.unpack_from(tail, at)
        struct.pack_into("<I", tail, at + _ENTRY.size - 4, place + by)
        at += _ENTRY.size + name + extra + comment
    struct.pack_into("<I", tail, end + 16, there.directory + by)
    return bytes(tail)


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile | None]:
    """The archive after the flatbuffer, None where there is none."""
    if not zipfile.is_zipfile(path):
        yield None
        return
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, IndexError) as error:
        raise ArtifactError(f"the archive of packed files in {path} is damaged: {error}; copy the model again") from error
    with archive:
        yield archive
