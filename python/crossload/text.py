"""Text from files of unknown origin, made safe to print."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text with everything that is not visible escaped: a name in a model file must not steer the terminal or hide another."""
    return text if text.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    number = ord(character)
    # A surrogate stands for a byte that was no UTF-8.
    if 0xDC80 <= number <= 0xDCFF:
        return f"\\x{number - 0xDC00:02x}"
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
