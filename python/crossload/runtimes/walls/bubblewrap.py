"""The wall without an engine: bubblewrap's namespaces (no network, no file but the worker's own, no rights), system calls filtered.

Limits of size and time are the process's own (setrlimit(2)); memory and the number of processes are watched by the core, which kills.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from crossload.errors import EnvironmentProblem
from crossload.runtimes.process import FILTER, Launch
from crossload.runtimes.walls import seccomp
from crossload.runtimes.walls.limits import BOUNDS
from crossload.runtimes.walls.stage import Stage

_PROGRAM = "bwrap"
_NOBODY = "65534"
# Of /etc only what the loader and a JDK read: the rest tells about the machine and its users.
_SYSTEM = (
    "/usr",
    "/bin",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc/ld.so.cache",
    "/etc/alternatives",
    "/etc/java-17-openjdk",
    "/etc/java-21-openjdk",
)
_KERNEL = ("/dev/", "/proc/", "/sys/")
_WORKERS = Path(__file__).parents[2] / "workers"
_KEPT = ("LANG", "LC_ALL", "TF_CPP_MIN_LOG_LEVEL")


def problem() -> tuple[str, str] | None:
    """What keeps this wall from standing here, and how to fix it."""
    if shutil.which(_PROGRAM) is None:
        return "bubblewrap is not installed", "install it (Debian: apt-get install bubblewrap)"
    if seccomp.program() is None:
        return f"the filter of system calls does not know this machine ({os.uname().machine})", "use a container engine: --in docker"
    return None


def confined(launch: Launch) -> Launch:
    """The same worker behind the wall, with a stage of its own for artifacts; raises EnvironmentProblem if the wall cannot stand."""
    if found := problem():
        raise EnvironmentProblem("; ".join(found))
    stage = Stage()
    mounted = dict.fromkeys([*_SYSTEM, *_needed(launch)])
    binds = [word for path in mounted if Path(path).exists() for word in _bind(path)]
    variables = {**{k: os.environ[k] for k in _KEPT if k in os.environ}, "PATH": "/usr/bin:/bin", "HOME": "/tmp", **launch.environment}
    argv = [
        "prlimit", f"--fsize={BOUNDS.file_size}", "--core=0", f"--cpu={BOUNDS.processor_seconds}", "--",
        _PROGRAM, "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--uid", _NOBODY, "--gid", _NOBODY,
        "--hostname", "wall", "--proc", "/proc", "--dev", "/dev", "--size", str(BOUNDS.temporary), "--tmpfs", "/tmp",
        *binds, "--ro-bind", str(stage.folder), str(stage.folder), "--remount-ro", "/", "--chdir", "/", "--clearenv",
        *(word for name, value in variables.items() for word in ("--setenv", name, value)),
        "--seccomp", FILTER, "--", *launch.argv,
    ]  # fmt: skip
    return Launch(argv, launch.environment, Path("/"), stage, seccomp.program(), memory=BOUNDS.memory, processes=BOUNDS.processes)


def _bind(path: str) -> tuple[str, ...]:
    """`/bin` and its like are links into /usr on today's systems, and stay links."""
    return ("--symlink", os.readlink(path), path) if Path(path).is_symlink() else ("--ro-bind", path, path)  # noqa: PTH115


def _needed(launch: Launch) -> Iterator[str]:
    """What the command and its variables name, and where the program and its Python or JVM are installed."""
    program = Path(shutil.which(launch.argv[0]) or launch.argv[0])
    for prefix in (program.absolute().parents[1:2], program.resolve().parents[1:2]):
        yield from (str(p) for p in prefix if p != Path("/"))
    if launch.argv[-1].endswith(".py"):
        yield str(_WORKERS)
    words = [*launch.argv[1:], *launch.environment.values()]
    for word in (part for w in words for part in (w, *re.split(r"[=:\s]+", w))):
        if word.startswith("/") and word != "/" and not word.startswith(_KERNEL) and os.access(word, os.R_OK):
            yield word
