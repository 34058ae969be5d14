"""The cache folder that crossload keeps between runs: environments of runtimes, and locks."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """$CROSSLOAD_CACHE, or the user's cache folder (platformdirs)."""
    return Path(os.environ.get("CROSSLOAD_CACHE") or platformdirs.user_cache_path("crossload"))


def locked(file: Path) -> AbstractContextManager[object]:
    """What waits for other processes that are making the same."""
    import filelock  # with asyncio in it: needed only where something is made

    file.parent.mkdir(parents=True, exist_ok=True)
    return filelock.FileLock(file)
