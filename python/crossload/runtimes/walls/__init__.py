"""Walls: workers that run where a model can reach nothing but itself, in a container of an engine or in namespaces of this kernel."""

from __future__ import annotations

from crossload.errors import EnvironmentProblem
from crossload.runtimes.environments import Wall
from crossload.runtimes.walls import bubblewrap, engine


def standing() -> Wall:
    """The wall that this machine has, an engine's first; raises EnvironmentProblem if it has none."""
    try:
        client = engine.connect()
    except EnvironmentProblem as problem:
        if found := bubblewrap.problem():
            raise EnvironmentProblem(
                f"an untrusted model is loaded behind a wall alone, and none stands here: {problem}; or: {'; '.join(found)}"
            ) from problem
        return "bubblewrap"
    client.close()
    return "docker"
