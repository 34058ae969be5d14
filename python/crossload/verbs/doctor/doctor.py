"""Doctor: Python, uv, JDK, Maven, disk, caches and runtimes, each with its state and how to fix it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from crossload import __version__
from crossload.errors import CrossloadError
from crossload.runtimes import environments, registry
from crossload.runtimes.health import status
from crossload.support import files
from crossload.support.cache import cache_folder

# The environments of all default runtimes with TensorFlow Java's natives, once unpacked, are 3.2 GB.
_NEEDED_BYTES = 4 << 30


@dataclass(frozen=True)
class Finding:
    """One part of the machine: `ok`, `optional` (missing, and needed for some runtimes only) or `missing`, and how to fix it."""

    name: str
    state: Literal["ok", "optional", "missing"]
    detail: str
    mend: str | None = None


@dataclass(frozen=True)
class CachedFolder:
    """A folder of a cache: its size in bytes, and the runtimes that use it (none: `--clean` removes it)."""

    path: Path
    size_bytes: int
    runtimes: tuple[str, ...]


@dataclass(frozen=True)
class Diagnosis:
    """All findings, and the environments in the cache."""

    findings: list[Finding]
    cached: list[CachedFolder]

    @property
    def exit_status(self) -> int:
        """0 if nothing is missing, else 1."""
        return 1 if any(f.state == "missing" for f in self.findings) else 0

    def to_json(self) -> dict[str, Any]:
        """The object of `crossload doctor --json`."""
        cached = [{"path": str(c.path), "size_bytes": c.size_bytes, "runtimes": list(c.runtimes)} for c in self.cached]
        return {"crossload": __version__, "findings": [asdict(f) for f in self.findings], "cached": cached}


def doctor() -> Diagnosis:
    """Examine the machine; starts no runtime and changes nothing. Raises CrossloadError for an unreadable configuration."""
    return Diagnosis([*_tools(), _disk(), *_runtimes()], _cached())


def clean() -> list[CachedFolder]:
    """Remove the environments that no runtime uses any more, and unfinished ones; returns what was removed."""
    unused = [cached for cached in _cached() if not cached.runtimes]
    for cached in unused:
        shutil.rmtree(cached.path, ignore_errors=True)
        Path(f"{cached.path}.lock").unlink(missing_ok=True)
    return unused


def _tools() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", "ok", f"{version} at {sys.executable}")
    yield _uv()
    problem = environments.java_problem()
    if problem:
        yield Finding("JDK", "optional", f"{problem[0]} (needed for TensorFlow Java)", problem[1])
    else:
        yield Finding("JDK", "ok", environments.java())
    if maven := shutil.which("mvn"):
        yield Finding("Maven", "ok", maven)
    else:
        yield Finding(
            "Maven",
            "optional",
            "Maven is not installed (needed for TensorFlow Java)",
            "install Maven 3.6 or newer (Debian: apt-get install maven)",
        )


def _uv() -> Finding:
    import uv

    try:
        tool = uv.find_uv_bin()
        done = subprocess.run([tool, "--version"], capture_output=True, text=True, check=False)
    except OSError as error:
        return Finding("uv", "missing", str(error), f"reinstall it: {sys.executable} -m pip install --force-reinstall uv")
    return Finding("uv", "ok", f"{done.stdout.strip()} at {tool}")


def _disk() -> Finding:
    folder = cache_folder()
    there = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    free = shutil.disk_usage(there).free
    detail = f"{free / (1 << 30):.1f} GiB free at {folder}"
    if free < _NEEDED_BYTES:
        return Finding("Disk", "missing", detail, "free some space (`crossload doctor --clean`), or point CROSSLOAD_CACHE to another disk")
    return Finding("Disk", "ok", detail)


def _runtimes() -> Iterator[Finding]:
    for runtime in registry.all_runtimes():
        found = status(runtime)
        if found.ready:
            yield Finding(runtime.title, "ok", "ready")
        else:
            yield Finding(runtime.title, "optional", found.state, found.mend)


def _cached() -> list[CachedFolder]:
    used: dict[Path, list[str]] = {}
    for runtime in registry.all_runtimes():
        try:
            for folder in environments.folders(runtime.source):
                used.setdefault(folder, []).append(runtime.title)
        except (CrossloadError, OSError):  # a missing script of the configuration has no environment
            continue
    root = cache_folder() / "environments"
    held = sorted(p for p in root.iterdir() if p.is_dir()) if root.is_dir() else []
    return [CachedFolder(p, files.size_bytes(p), tuple(used.get(p, ()))) for p in held]
