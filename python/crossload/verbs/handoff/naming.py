"""What every receiver's generated text needs: names that are each there once, words safe in Markdown, templates."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossload.support.text import printable

if TYPE_CHECKING:
    from jinja2 import Environment


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


def in_markdown(text: str) -> str:
    """The text as code in Markdown, on one line, without backticks, which would end it."""
    return "`" + printable(text).replace("`", "'").encode("utf-8", "replace").decode() + "`"


def templates(folder: Path, filters: dict[str, Callable[..., Any]], *shared: Path) -> Environment:
    """The templates of a folder, and of those that it includes from.

    They are code, not HTML: each value is escaped by the filter of its place, `code` in Markdown.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader([folder, *shared]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(code=in_markdown, **filters)
    return made
