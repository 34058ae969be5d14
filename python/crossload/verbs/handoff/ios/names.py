"""Swift names made from a model's names (camel case, unique, not a keyword), and text that is safe in source code.

Source: The Swift Programming Language, "Lexical Structure": keywords and punctuation, string literals, line breaks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from unicodedata import normalize

from crossload.support.text import printable
from crossload.verbs.handoff.naming import each_once

_KEYWORDS = frozenset(
    re.findall(
        r"\w+",
        """associatedtype borrowing class consuming deinit enum extension fileprivate func import init inout internal let nonisolated open
        operator precedencegroup private protocol public rethrows static struct subscript typealias var break case catch continue default
        defer do else fallthrough for guard if in repeat return switch throw where while Any as await false is nil self Self super throws
        true try actor any async macro package some unowned weak""",
    )
)
# The client's own members.
_TAKEN = frozenset({"file", "handed", "reset"})
_PLAIN = frozenset(" !#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~")
_LONGEST = 40


def members(names: Iterable[str]) -> dict[str, str]:
    """Names of functions and properties, by the model's: `serving_default` becomes `servingDefault`, `class` `class_`, `1st` `x1st`."""
    return each_once(names, _member)


def types(names: Iterable[str]) -> dict[str, str]:
    """The beginnings of names of types, by the model's names: `serving_default` becomes `ServingDefault`, `1st` `X1st`."""
    return each_once(names, type_name)


def type_name(name: str) -> str:
    """The beginning of one type's name."""
    return _identifier("".join(w[0].upper() + w[1:] for w in _words(name)), "X")


def literal(text: str) -> str:
    """The text as a string literal: all but plain characters are escaped, so that none can end it or begin an interpolation.

    A lone surrogate, which no literal can hold, becomes U+FFFD; `unspeakable` finds such names before.
    """
    return '"' + "".join(c if c in _PLAIN else f"\\u{{{0xFFFD if 0xD800 <= ord(c) <= 0xDFFF else ord(c):x}}}" for c in text) + '"'


def comment(text: str) -> str:
    """The text inside a comment of one line, which it cannot end."""
    return printable(text).encode("utf-8", "replace").decode()


def unspeakable(names: Iterable[str]) -> str | None:
    """Why Swift cannot call tensors by these names; None if it can. Its strings are equal where Unicode calls them equivalent."""
    seen: dict[str, str] = {}
    for name in names:
        if "\0" in name or any(0xD800 <= ord(c) <= 0xDFFF for c in name):
            return f"the name {printable(name)!r} is not text that a Swift string can pass on"
        if (other := seen.setdefault(normalize("NFC", name), name)) != name:
            return f"the names {printable(other)!r} and {printable(name)!r} are one to Swift, whose strings compare by what they show"
    return None


def _member(name: str) -> str:
    first, *rest = _words(name)
    first = first.lower() if first.isupper() else first[0].lower() + first[1:]
    made = _identifier(first + "".join(w[0].upper() + w[1:] for w in rest), "x")
    return f"{made}_" if made in _KEYWORDS | _TAKEN else made


def _identifier(text: str, before_digit: str) -> str:
    return (f"{before_digit}{text}" if text[0].isdigit() else text)[:_LONGEST]


def _words(name: str) -> list[str]:
    return re.findall(r"[A-Za-z0-9]+", name) or ["unnamed"]
