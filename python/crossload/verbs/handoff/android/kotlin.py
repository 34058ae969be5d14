"""Kotlin's names and types, made from Java's.

Source: the Kotlin language specification, "Keywords and operators" (hard keywords) and "Java interoperability" (mapped types).
"""

from __future__ import annotations

import re

_HARD_KEYWORDS = frozenset(
    re.findall(
        r"\w+",
        """as break class continue do else false for fun if in interface is null object package return super this throw true try typealias
        typeof val var when while""",
    )
)
_TYPES = {
    "boolean": "Boolean",
    "byte": "Byte",
    "double": "Double",
    "float": "Float",
    "int": "Int",
    "long": "Long",
    "short": "Short",
    "HostTensor": "HostTensor",
}


def name(java: str) -> str:
    """A Java name in Kotlin: in backticks where it is a keyword there."""
    return f"`{java}`" if java in _HARD_KEYWORDS else java


def type_of(java: str) -> str:
    """A component's Java type in Kotlin: `float[]` becomes `FloatArray`."""
    return f"{_TYPES[java[:-2]]}Array" if java.endswith("[]") else _TYPES[java]
