"""Why a model is not frozen here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from crossload.errors import CrossloadError


class NeedsTensorFlow(Exception):
    """These edits do not cover the model; the message says what in it. TensorFlow's process freezes it instead."""


@contextmanager
def unreadable_as_refusal() -> Iterator[None]:
    """A file that cannot be read here is TensorFlow's to read, or to complain about."""
    try:
        yield
    except CrossloadError as error:
        raise NeedsTensorFlow(str(error)) from error
