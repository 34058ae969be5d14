"""Names in a receiver's language that are made from a model's: each once."""

from __future__ import annotations

from collections.abc import Callable, Iterable


def each_once(names: Iterable[str], make: Callable[[str], str]) -> dict[str, str]:
    """What `make` makes of each name, with a number where two would be one; in some places names that differ only in case are one."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        made = first = make(name)
        number = 1
        while made.lower() in taken:
            number += 1
            made = f"{first}{number}" if not first[-1].isdigit() else f"{first}_{number}"
        taken.add(made.lower())
        found[name] = made
    return found
