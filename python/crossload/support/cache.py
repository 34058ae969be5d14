"""The cache folder that crossload keeps between runs: environments of runtimes, and locks."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """$CROSSLOAD_CACHE, or the user's cache folder (platformdirs)."""
    return Path(os.environ.get("CROSSLOAD_CACHE") or platformdirs.user_cache_path("crossload"))
