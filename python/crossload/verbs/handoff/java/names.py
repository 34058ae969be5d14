"""Java names made from a model's names (camel case, unique, not a keyword), and text that is safe in source code.

Source: The Java Language Specification 17, sections 3.3 (Unicode escapes), 3.8 and 3.9 (identifiers), 8.10.1 (record components).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from unicodedata import ucd_3_2_0

from crossload.errors import CrossloadError
from crossload.verbs.handoff.naming import each_once

_KEYWORDS = frozenset(
    re.findall(
        r"\w+",
        """abstract assert boolean break byte case catch char class const continue default do double else enum extends false final finally
        float for goto if implements import instanceof int interface long native new non null package permits private protected public
        record return sealed short static strictfp super switch synchronized this throw throws transient true try var void volatile when
        while with yield _""",
    )
)
# Names of Object's methods, forbidden for record components (JLS 8.10.1), and of the client's and the records' own methods.
_TAKEN = frozenset(
    re.findall(
        r"\w+",
        """clone finalize getClass hashCode notify notifyAll toString wait equals close open openFromJar main bundle allValues toBytes""",
    )
)
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_LONGEST = 40


def members(names: Iterable[str]) -> dict[str, str]:
    """Method or component names, by the model's names: `serving_default` becomes `servingDefault`, `class` `class_`, `1st` `_1st`."""
    return each_once(names, _member)


def types(names: Iterable[str]) -> dict[str, str]:
    """Class names, by the model's names: `serving_default` becomes `ServingDefault`."""
    return each_once(names, lambda name: _identifier("".join(w[0].upper() + w[1:] for w in _words(name))))


def package_of(name: str) -> str:
    """The default package of a model's project: `com.example.` and the name's ASCII letters and digits."""
    plain = re.sub(r"[^a-z0-9]", "", name.lower())[:_LONGEST] or "model"
    return f"com.example.{_identifier(plain)}"


def checked_package(package: str) -> str:
    """The requested package; raises CrossloadError for one that Java does not accept."""
    parts = package.split(".")
    for part in parts:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", part) or part in _KEYWORDS:
            raise CrossloadError(
                f"--package {package!r} is not a Java package: {part!r} is not a valid name in it; write one like com.example.digits "
                "(ASCII letters and digits, no keywords)"
            )
    if parts[0] == "java":
        raise CrossloadError(f"--package {package!r} belongs to Java itself; write one like com.example.digits")
    return package


def literal(text: str) -> str:
    """The text as a string literal: special characters are escaped, so that no name can end the literal."""
    return '"' + "".join(_in_literal(c) for c in text) + '"'


def javadoc(text: str) -> str:
    """The text inside a comment: letters, digits and plain signs unchanged, all else as HTML entities (no `*/`, `@`, `\\u` or tag)."""
    return "".join(c if c in _PLAIN or c in " _-.,:;()[]=+'?" or _is_letter(c) else _entity(c) for c in text)


def in_xml_comment(text: str) -> str:
    """The text inside an XML comment, without `--`, which would end it."""
    return "".join(c if c in _PLAIN or c in " _.,:()" or _is_letter(c) else "?" for c in text)


def version(text: str) -> str:
    """The model's version as Maven accepts it."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", text)[:_LONGEST] or "1"


def _in_literal(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if (character.isascii() and character.isprintable()) or _is_letter(character):
        return character
    return "".join(f"\\u{unit:04x}" if unit not in (10, 13) else f"\\{'n' if unit == 10 else 'r'}" for unit in _utf16(character))


def _utf16(character: str) -> list[int]:
    data = character.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]


def _entity(character: str) -> str:
    # A lone surrogate (a byte of a name that is not UTF-8) has no entity.
    return "?" if 0xD800 <= ord(character) <= 0xDFFF else f"&#{ord(character)};"


def _member(name: str) -> str:
    first, *rest = _words(name)
    first = first.lower() if first.isupper() else first[0].lower() + first[1:]
    made = _identifier(first + "".join(w[0].upper() + w[1:] for w in rest))
    return f"{made}_" if made in _TAKEN else made


def _identifier(text: str) -> str:
    made = text[:_LONGEST]
    made = made if _is_letter(made[0]) or made[0] == "_" else f"_{made}"
    return f"{made}_" if made in _KEYWORDS else made


def _words(name: str) -> list[str]:
    spaced = "".join(c if c in _PLAIN or _is_letter(c) else " " for c in name)
    return spaced.split() or ["unnamed"]


def _is_letter(character: str) -> bool:
    # Letters of Unicode 3.2 are letters in every Java; newer ones depend on its release.
    return ucd_3_2_0.category(character) in ("Lu", "Ll", "Lo")
