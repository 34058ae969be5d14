"""What a native library prints to standard error: the causes that its exceptions leave out."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from typing import Any


def with_stderr(call: Callable[[], Any]) -> tuple[Any, str]:
    """A call's result and what it printed to standard error (descriptor 2: the printing is C++)."""
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            result = call()
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        file.seek(0)
        return result, file.read().decode(errors="replace")


def of_failure(call: Callable[[], Any]) -> str:
    """What a call that has failed once prints as it fails again.

    Standard error is captured only in this second attempt: if the first one kills the process, its last output must not be lost.
    """

    def failing() -> None:
        with contextlib.suppress(RuntimeError, ValueError):
            call()

    return with_stderr(failing)[1]
