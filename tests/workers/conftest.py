"""One process per runtime."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crossload.runtimes.process import Launch
from tests import environment
from tests.workers.conversation import Conversation


def _conversation(launch: Launch) -> Iterator[Conversation]:
    conversation = Conversation(launch)
    yield conversation
    assert conversation.end() == 0


@pytest.fixture(scope="session", params=["tensorflow", "tensorflow+python", "C"])
def tensorflow(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Conversation]:
    """TensorFlow's workers, by its C API from Python, by its Python, and by its C API from C (bindings/c), one after the other."""
    c = request.param == "C"
    yield from _conversation(environment.launch_of_c(tmp_path_factory) if c else environment.launch_of(request.param))


@pytest.fixture(scope="session")
def tensorflow_python() -> Iterator[Conversation]:
    """The worker of TensorFlow's Python."""
    yield from _conversation(environment.launch_of("tensorflow+python"))


@pytest.fixture(scope="session")
def tflite_micro() -> Iterator[Conversation]:
    """TensorFlow Lite Micro's worker."""
    yield from _conversation(environment.launch_of("tflite-micro"))


@pytest.fixture(scope="session", params=["litert", "tflite-runtime", "tflite-java"])
def interpreter(request: pytest.FixtureRequest) -> Iterator[Conversation]:
    """The workers of the TFLite interpreters of Python and of the JVM, one after the other."""
    yield from _conversation(environment.launch_of(request.param))
