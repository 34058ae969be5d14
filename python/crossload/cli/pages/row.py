"""An artifact as a row of `show` of many files: format, size, the version that made it, the signature."""

from __future__ import annotations

from typing import Any

from crossload.errors import ArtifactError
from crossload.support import files
from crossload.support.text import printable

_HEADING = ("artifact", "format", "bytes", "made by", "signature")
_MOST_NAMES = 3


def heading(with_hash: bool) -> tuple[str, ...]:
    """The first row; with the canonical hash in front of the signature if that was asked for."""
    return (*_HEADING[:-1], *(["canonical sha256"] if with_hash else []), _HEADING[-1])


def cells(found: Any, canonical: str | None) -> tuple[str, ...]:
    """The row of an artifact or a bundle; raises OSError."""
    producer = ", ".join(f"{name} {version}" for name, version in list(found.producer.items())[:1])
    hashed = [] if canonical is None else [canonical or "–"]
    size = f"{files.size_bytes(found.path):,}"
    return (printable(str(found.path)), found.format, size, printable(producer) or "–", *hashed, _signature(found))


def unreadable(path: str, error: str, with_hash: bool) -> tuple[str, ...]:
    """The row of a file that cannot be read."""
    return (printable(path), "–", "–", "–", *(["–"] if with_hash else []), f"error: {printable(error)}")


def _signature(found: Any) -> str:
    """`key: inputs → outputs` of the first signature, and how many more there are."""
    from crossload import artifacts

    try:
        graphs = [(None, found.manifest.signatures)] if found.format == "bundle" else artifacts.callable_signatures(found)
    except ArtifactError:
        return f"none; {len(found.variables):,} variables" if getattr(found, "variables", None) else "none"
    own = [(key, signature) for _, signatures in graphs for key, signature in signatures.items()]
    if not own:
        return "none"
    key, first = own[0]
    more = f" (and {len(own) - 1} more)" if len(own) > 1 else ""
    return printable(f"{key}: {_names(first.inputs)} → {_names(first.outputs)}{more}")


def _names(tensors: Any) -> str:
    names = [t.name for t in tensors]
    return ", ".join(names[:_MOST_NAMES]) + ("" if len(names) <= _MOST_NAMES else f", … {len(names) - _MOST_NAMES} more") or "nothing"
