"""One process per runtime."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import environment
from tests.workers.conversation import Conversation


def _conversation(runtime: str) -> Iterator[Conversation]:
    conversation = Conversation(environment.launch_of(runtime))
    yield conversation
    assert conversation.end() == 0


@pytest.fixture(scope="session", params=["tensorflow", "tensorflow+python"])
def tensorflow(request: pytest.FixtureRequest) -> Iterator[Conversation]:
    """TensorFlow's workers, by its C API and by its Python, one after the other."""
    yield from _conversation(request.param)


@pytest.fixture(scope="session")
def tensorflow_python() -> Iterator[Conversation]:
    """The worker of TensorFlow's Python."""
    yield from _conversation("tensorflow+python")


@pytest.fixture(scope="session")
def tflite_micro() -> Iterator[Conversation]:
    """TensorFlow Lite Micro's worker."""
    yield from _conversation("tflite-micro")


@pytest.fixture(scope="session", params=["litert", "tflite-runtime", "tflite-java"])
def interpreter(request: pytest.FixtureRequest) -> Iterator[Conversation]:
    """The workers of the TFLite interpreters of Python and of the JVM, one after the other."""
    yield from _conversation(request.param)
