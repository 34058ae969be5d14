"""Java as palantir-java-format lays it out, so that generated code is formatted without a formatter."""

from __future__ import annotations

import re
from dataclasses import dataclass

_WIDTH, _CONTINUED = 120, 8
# A chained call does not begin beyond this column.
_CHAIN = 80


@dataclass(frozen=True)
class Call:
    """`head(args)`, or with other brackets: an expression, a list of parameters."""

    head: str
    args: tuple[Call | str, ...]
    tail: str = ")"

    def __str__(self) -> str:
        return f"{self.head}{', '.join(map(str, self.args))}{self.tail}"


def laid_out(indent: int, call: Call | str, after: str = "") -> str:
    """The lines of a call: on one line, else all arguments on the next one, else each on its own, broken again if necessary."""
    margin, inner = " " * indent, " " * (indent + _CONTINUED)
    line = f"{margin}{call}{after}"
    if isinstance(call, str) or not call.args or _fits(line):
        return line
    listed = ", ".join(map(str, call.args))
    if _fits(second := f"{inner}{listed}{call.tail}{after}"):
        return f"{margin}{call.head}\n{second}"
    *most, last = call.args
    broken = [laid_out(indent + _CONTINUED, arg, ",") for arg in most] + [laid_out(indent + _CONTINUED, last, f"{call.tail}{after}")]
    return "\n".join([f"{margin}{call.head}", *broken])


def chained(indent: int, receiver: Call, then: str) -> str:
    """A chained call: on one line, else the second call on the next line, else its argument on a line of its own, too."""
    margin, inner = " " * indent, " " * (indent + _CONTINUED)
    if _fits(line := f"{margin}{receiver}{then}"):
        return line
    if len(first := f"{margin}{receiver}") <= _WIDTH:
        return f"{first}\n{inner}{then}"
    arguments = ", ".join(map(str, receiver.args))
    return f"{margin}{receiver.head}\n{inner}{' ' * _CONTINUED}{arguments}{receiver.tail}\n{inner}{then}"


def conjunction(indent: int, first: str, second: str) -> str:
    """`first && second`: on one line, else the second operand on the next line."""
    line = f"{' ' * indent}{first} && {second}"
    return line if _fits(line) else f"{' ' * indent}{first}\n{' ' * (indent + _CONTINUED)}&& {second}"


def _fits(line: str) -> bool:
    return len(line) <= _WIDTH and all(found.start() < _CHAIN for found in re.finditer(r"\)\.\w+\(", line))
