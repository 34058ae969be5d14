"""A container engine with a base image (tests/engine.sh starts one), and an image whose worker tries to get out."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crossload.runtimes import environments, registry
from crossload.runtimes.process import Launch
from crossload.runtimes.walls import containers, images, whole_image

WORKER = Path(__file__).parents[2] / "fakes" / "escaping_worker.py"
IMAGE = "crossload-test/escaping:1"


@pytest.fixture(scope="session")
def base() -> str:
    """The base image of the engine that DOCKER_HOST names."""
    if "CROSSLOAD_TEST_BASE" not in os.environ:
        pytest.skip("no container engine for the tests: make test-docker starts one")
    return os.environ["CROSSLOAD_TEST_BASE"]


@pytest.fixture(scope="session")
def client(base: str) -> Any:
    """The SDK's client."""
    import docker

    return docker.from_env()


@pytest.fixture(scope="session")
def escaping_image(base: str, client: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Launch]:
    """How a container of a worker that makes an attempt starts."""
    folder = tmp_path_factory.mktemp("escaping")
    (folder / "worker.py").write_bytes(WORKER.read_bytes())
    (folder / "Dockerfile").write_text(f"FROM {base}\nCOPY worker.py /opt/worker.py\n", encoding="utf-8")
    client.images.build(path=str(folder), tag=IMAGE, rm=True)
    return lambda *arguments: containers.launch(IMAGE, ["python3", "-u", "/opt/worker.py", *arguments])


@pytest.fixture(scope="session")
def built(base: str) -> list[images.Built]:
    """The images of three runtimes, of Python, C and Java."""
    return [images.build(registry.one(name), base) for name in ("litert", "tensorflow", "tensorflow-java")]


@pytest.fixture(scope="session")
def whole(base: str) -> str:
    """The image of crossload itself."""
    return whole_image.build(base).name


@pytest.fixture(scope="session")
def keras_image(whole: str, client: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The image of TensorFlow's Python: its packages and its worker are in crossload's own image, and are not fetched a second time."""
    runtime = registry.one("tensorflow+python")
    assert isinstance(runtime.source, environments.Script)
    place = f"/opt/crossload/cache/environments/{environments.folder_of(runtime.source).name}/bin/python"
    entry = [place, "-u", f"/opt/crossload/package/crossload/workers/{runtime.source.path.name}"]
    folder = tmp_path_factory.mktemp("keras")
    (folder / "Dockerfile").write_text(f"FROM {whole}\nENTRYPOINT {json.dumps(entry)}\n", encoding="utf-8")
    content = images.context_of(runtime).digest()
    labels = {images.RUNTIME: runtime.title, images.SPEAKS: images.PROTOCOL, images.CONTENT: content}
    client.images.build(path=str(folder), tag=images.name_of(runtime), labels=labels, rm=True)
