"""What the tests of a release share: it is built once for all processes of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossload import __version__
from tests.environment import made_once
from tests.java.released import Release, copy
from tests.maven import maven


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """A release that `mvn -Prelease verify` built and checked. `make test` has it run the modules' own tests, too."""

    def build(folder: Path) -> None:
        copy(folder, version=__version__)
        status, output = maven(folder / "java", "-Prelease", "-DskipTests", "verify")
        assert status == 0, output[-6000:]
        (folder / "log").write_text(output, encoding="utf-8")

    return Release(made_once(tmp_path_factory, "java-release", build), __version__)
