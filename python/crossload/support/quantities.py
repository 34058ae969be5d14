"""Seconds, bytes and counts as people read them."""

from __future__ import annotations


def seconds(value: float | None) -> str:
    """`1.2 s`, `3.45 ms`, `678 µs`; nothing for None."""
    if value is None:
        return ""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if value >= size:
            return f"{value / size:.3g} {unit}" if value < 1000 * size else f"{value / size:,.0f} {unit}"
    return f"{value * 1e6:.3g} µs"


def size(value: int | None) -> str:
    """`312 B`, `17.2 kB`, `345 MB` (powers of 1000); nothing for None."""
    return "" if value is None else f"{count(value)}{'B' if abs(value) >= 1000 else ' B'}"


def count(value: float | None) -> str:
    """`312`, `17.2 k`, `345 M`; nothing for None."""
    if value is None:
        return ""
    for unit, one in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= one:
            return f"{value / one:.3g} {unit}"
    return f"{value:.3g}"
