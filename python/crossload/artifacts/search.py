"""Which artifacts the words of a command line mean: paths, patterns, folders of artifacts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from crossload.artifacts import recognition
from crossload.contract.names import MANIFEST
from crossload.errors import CrossloadError
from crossload.support.text import is_pattern

# Files that are artifacts by their names; a folder that is one is found by its content.
SUFFIXES = (".tflite", ".lite", ".pb", ".pbtxt", ".keras", ".h5", ".hdf5", ".meta")


def expanded(words: Iterable[str]) -> list[str]:
    """The artifacts that words of the command line mean: a path, a pattern, or a folder of artifacts, which is searched to its ground.

    Raises CrossloadError for a pattern or a folder without any.
    """
    found: dict[str, None] = {}
    for word in words:
        path = Path(word)
        if is_pattern(word) and not path.exists():
            root = Path(path.anchor or ".")
            matching = sorted(root.glob(str(path.relative_to(path.anchor))))
            within = [str(p) for m in matching for p in (inside(m) if m.is_dir() else [m])]
        elif path.is_dir():
            within = [str(p) for p in inside(path)]
        else:
            within = [word]
        if not within:
            raise CrossloadError(f"{word} holds no artifacts: no bundles, SavedModels, checkpoints, or files {', '.join(SUFFIXES)}")
        found.update(dict.fromkeys(within))
    return list(found)


def is_one(path: Path) -> bool:
    """Whether a path is one artifact or bundle rather than a folder of them."""
    # A SavedModel in chunks cannot be read, and says so itself; the .pb beside the chunks is no graph.
    if not path.is_dir() or (path / MANIFEST).is_file() or (path / "saved_model.cpb").is_file():
        return True
    try:
        return bool(recognition.recognise(path))
    except CrossloadError:
        return False


def inside(folder: Path, above: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """The artifacts and bundles in a folder, or the folder itself if it is one; a link to a folder above is not followed."""
    place = folder.resolve()
    if is_one(folder):
        yield folder
    elif place not in above:
        for entry in sorted(folder.iterdir()):
            if entry.is_dir():
                yield from inside(entry, above | {place})
            elif entry.suffix in SUFFIXES:
                yield entry
