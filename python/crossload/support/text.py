"""Text from files of unknown origin, made safe to print and to use as names."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable
from itertools import islice

MOST_SENTENCE = 4 << 10
_MOST_NAMES, _MOST_LETTERS, _MOST_NEAR = 20_000, 256, 3


def printable(text: str) -> str:
    """The text with all invisible characters escaped: a name in a model file must not control the terminal or hide another name."""
    return text if text.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    number = ord(character)
    # A surrogate stands for a byte that is not UTF-8.
    if 0xDC80 <= number <= 0xDCFF:
        return f"\\x{number - 0xDC00:02x}"
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def shortened(text: str, most: int = MOST_SENTENCE) -> str:
    """The text in about `most` characters: of a longer one, the beginning and the end, where causes are. Done twice, it changes nothing."""
    half = most // 2
    return text if len(text) <= most + 100 else f"{text[:half]} … ({len(text) - 2 * half:,} characters left out) … {text[-half:]}"


def not_json(error: Exception) -> str:
    """What json.loads found wrong, to follow the name of the file: valid JSON may be nested too deeply for Python to read."""
    return "is JSON nested too deeply to read" if isinstance(error, RecursionError) else f"is not JSON ({str(error)[:200]})"


def identifiers(names: Iterable[str]) -> list[str]:
    """The names as distinct function parameters, as TensorFlow names a SavedModel's inputs: ASCII letters, digits and `_`.

    TensorFlow renames `image-input` to `image_input` silently (core/function/polymorphism/function_type.py, sanitize_arg_name).
    """
    found: list[str] = []
    for at, name in enumerate(names):
        made = re.sub(r"[^0-9A-Za-z_]", "_", name)
        made = f"input_{made}" if not made or made[0].isdigit() or keyword.iskeyword(made) else made
        found.append(made if made not in found else f"{made}_{at}")
    return found


def is_pattern(text: str) -> bool:
    """Whether a text has characters of a shell pattern."""
    return any(c in text for c in "*?[")


def near(name: str, names: Iterable[str]) -> str:
    """The end of an error about an unknown name: `; near it are 'a', 'b'`, or nothing if no name is near.

    Names that contain it, ignoring case, come first, the shortest first; then those with a similar spelling.
    """
    from difflib import get_close_matches

    # Spelling is compared letter by letter, which could take minutes for a hostile file.
    known = [n for n in islice(names, _MOST_NAMES) if len(n) < _MOST_LETTERS]
    wanted = name[:_MOST_LETTERS].lower()
    found = sorted((n for n in known if wanted and wanted in n.lower()), key=len)[:_MOST_NEAR]
    found = found or get_close_matches(name[:_MOST_LETTERS], known, _MOST_NEAR, 0.5)
    # In a deep scope users remember the last part of a name.
    last = {n.rpartition("/")[2]: n for n in reversed(known)} if not found else {}
    found = found or [last[n] for n in get_close_matches(name.rpartition("/")[2][:_MOST_LETTERS], last, _MOST_NEAR, 0.6)]
    return f"; near it are {', '.join(repr(n) for n in found)}" if found else ""
