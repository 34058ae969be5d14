"""Runs Maven with a local repository of the test's own, and reads what it prints."""

from __future__ import annotations

import re
from pathlib import Path

from tests import maven as anywhere


def maven(project: Path, repository: Path, *goals: str, settings: Path | None = None) -> tuple[int, str]:
    """The exit status and the output of these goals."""
    own = ("-s", str(settings)) if settings else ()
    return anywhere.maven(project, f"-Dmaven.repo.local={repository}", *goals, *own)


def built(project: Path, repository: Path, *goals: str, settings: Path | None = None) -> str:
    """The output of goals that must succeed."""
    status, output = maven(project, repository, *goals, settings=settings)
    assert status == 0, output[-6000:]
    return output


def counted(output: str) -> tuple[int, ...]:
    """How many tests ran, failed, had errors and were skipped, as the last line about it says."""
    found = re.findall(r"Tests run: (\d+), Failures: (\d+), Errors: (\d+), Skipped: (\d+)", output)
    return tuple(map(int, found[-1])) if found else ()
