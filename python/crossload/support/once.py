"""Functions that create something once per process, even if several threads call them at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache, wraps
from typing import TypeVar

_Made = TypeVar("_Made")


def once(make: Callable[[], _Made]) -> Callable[[], _Made]:
    """Like `functools.cache`, but never calls `make` twice from two threads: protobuf's pool takes a file of declarations only once."""
    lock = threading.Lock()
    cached = cache(make)

    @wraps(make)
    def made() -> _Made:
        with lock:
            return cached()

    return made
