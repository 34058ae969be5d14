"""C names made from a model's names (snake case, unique, no keyword of C99 or C++), and text that is safe in source code.

Source: ISO/IEC 9899:1999, sections 6.4.1 (keywords), 5.2.1.1 (trigraphs), 6.4.4.4 (escapes), 7.1.3 (reserved identifiers).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from crossload.support.text import printable
from crossload.verbs.handoff.naming import each_once

_KEYWORDS = frozenset(
    re.findall(
        r"\w+",
        """auto break case char const continue default do double else enum extern float for goto if inline int long register restrict
        return short signed sizeof static struct switch typedef union unsigned void volatile while bool true false asm
        alignas alignof and and_eq bitand bitor catch class compl concept constexpr decltype delete dynamic_cast explicit export friend
        mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public requires reinterpret_cast
        static_assert static_cast template this thread_local throw try typeid typename using virtual wchar_t xor xor_eq
        errno stdin stdout stderr main null linux unix""",
    )
)
_LONGEST = 40


def identifiers(names: Iterable[str]) -> dict[str, str]:
    """Identifiers by the model's names: `serving_default` stays, `class` becomes `class_`, `1st` `x_1st`, `größe` `gr_e`."""
    return each_once(names, identifier)


def prefix(model: str, files: Iterable[str]) -> str:
    """What the client's file is called, and what its names begin with: the model's name, unless one of the other files has it."""
    made = identifier(model)
    return f"{made}_client" if made in {file.partition(".")[0] for file in files} else made


def function(signature: str) -> str:
    """A function's name: the signature's identifier, unless it ends as the types of a function's inputs and outputs do."""
    return f"{signature}_" if signature.endswith(("_inputs", "_outputs")) else signature


def identifier(name: str) -> str:
    """One identifier: ASCII letters, digits and single underscores, in lower case."""
    made = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_").lower()[:_LONGEST].rstrip("_") or "unnamed"
    made = f"x_{made}" if made[0].isdigit() else made
    return f"{made}_" if made in _KEYWORDS else made


def literal(text: str) -> str:
    """The text as a string literal in UTF-8: all but plain characters are octal escapes, so that none can end it or join a trigraph."""
    plain = set(b" !#$%&'()*+,-./0123456789:;<=>@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~")
    return '"' + "".join(chr(b) if b in plain else f"\\{b:03o}" for b in text.encode("utf-8", "surrogateescape")) + '"'


def comment(text: str) -> str:
    """The text inside a comment, which it cannot end or begin."""
    return re.sub(r"\?(?=\?)", "? ", printable(text).replace("\\", "%")).replace("*/", "* /").replace("/*", "/ *")
