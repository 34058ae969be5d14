"""Walls: workers that run where a model can reach nothing but itself, in a container of an engine or in namespaces of this kernel."""

from __future__ import annotations

import shlex
from dataclasses import replace

from crossload.errors import EnvironmentProblem
from crossload.runtimes import environments
from crossload.runtimes.environments import Confined, Progress, Script, Wall
from crossload.runtimes.process import Launch
from crossload.runtimes.walls import bubblewrap, containers, engine


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


def confined(source: Confined, progress: Progress) -> Launch:
    """How a worker starts behind its wall; raises EnvironmentProblem."""
    if source.wall == "docker":
        from crossload.runtimes import registry

        return containers.confined(registry.in_image(source.title), progress)
    launch = environments.prepare(source.source, progress)
    if isinstance(source.source, Script) and source.source.embeds:
        # JavaCPP would unpack the natives into a home folder, and there is none behind the wall.
        natives = shlex.join((*environments.library_path(source.source.embeds), "-Dorg.bytedeco.javacpp.pathsFirst=true"))
        launch = replace(launch, environment={**launch.environment, "CROSSLOAD_JVM_OPTIONS": natives})
    return bubblewrap.confined(launch)


def missing(source: Confined) -> tuple[str, str] | None:
    """What keeps a worker from starting behind its wall, and how to fix it."""
    if source.wall == "docker":
        try:
            confined(source, lambda _: None)
        except EnvironmentProblem as problem:
            said, _, mend = str(problem).partition("; ")
            return said, mend
        return None
    return bubblewrap.problem() or environments.missing(source.source)
