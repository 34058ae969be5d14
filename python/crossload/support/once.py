"""Functions that make something once in a process, however many threads ask for it at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache, wraps
from typing import TypeVar

_Made = TypeVar("_Made")


def once(make: Callable[[], _Made]) -> Callable[[], _Made]:
    """`functools.cache`, which lets two threads make it twice: protobuf's pool takes a file of declarations once only."""
    lock = threading.Lock()
    cached = cache(make)

    @wraps(make)
    def made() -> _Made:
        with lock:
            return cached()

    return made
