"""Runtimes: the registry, the environments, and the supervisor that keeps the workers.

As part of the public face (`crossload.runtimes`): `find(names)`, `one(name)`, `all_runtimes()`, `status(runtime, prepare=, check=)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crossload.runtimes.health import status as status
    from crossload.runtimes.registry import all_runtimes as all_runtimes
    from crossload.runtimes.registry import find as find
    from crossload.runtimes.registry import one as one

__all__ = ["all_runtimes", "find", "one", "status"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'crossload.runtimes' has no attribute {name!r}")
    from crossload.runtimes import health, registry

    return getattr(health if name == "status" else registry, name)
