"""The folder that a worker behind a wall sees: the artifact that it is to load, and nothing that lies beside it."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from contextlib import ExitStack
from pathlib import Path

from crossload.artifacts import parts_of
from crossload.support import temporary


class Stage:
    """A temporary folder, removed with this object. Its files are links where the file system can, so that a large model is not copied."""

    def __init__(self) -> None:
        """Raises OSError if there is no room for temporary files."""
        stack = ExitStack()
        self.folder = stack.enter_context(temporary.scratch())
        self.folder.chmod(0o755)  # the worker is another user
        self._number = 0
        weakref.finalize(self, stack.close)

    def place(self, path: Path, format: str = "") -> Path:
        """Where the worker finds this artifact; whatever was placed before is gone. Raises OSError."""
        self._clear()
        self._number += 1
        room = self.folder / str(self._number)
        room.mkdir(mode=0o755)
        for source in parts_of(path, format):
            _copy(source, room / source.name)
        return room / path.name

    def add(self, file: Path) -> Path:
        """Where the worker finds a file that the model needs, an op library or the code of a layer. Raises OSError."""
        room = Path(tempfile.mkdtemp(dir=self.folder))
        room.chmod(0o755)
        _copy(file, room / file.name)
        return room / file.name

    def _clear(self) -> None:
        for old in self.folder.iterdir():
            shutil.rmtree(old, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        target.mkdir(mode=0o755)
        for entry in sorted(source.iterdir()):
            _copy(entry, target / entry.name)
        return
    real = source.resolve()
    if real.stat().st_mode & 0o004:  # a link has the file's own rights, and the worker is another user
        try:
            os.link(real, target)
        except OSError:  # another file system, or a file of another user
            pass
        else:
            return
    shutil.copyfile(real, target)
    target.chmod(0o644)
