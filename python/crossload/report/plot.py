"""Plots as SVG, without a library: a row a thing, a panel a measure, a bar a value, with the value beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from crossload.support.text import printable

_ROW, _BAR, _TOP = 24, 12, 44
_BAR_WIDTH, _VALUE_WIDTH, _GAP = 90, 70, 22
_LETTER = 7.3  # the width of a letter of a monospaced font of 12 pixels
_MOST_LABEL = 48


@dataclass(frozen=True)
class Panel:
    """A measure: its `title`, and for each row a value (None: no bar) and the text beside its bar.

    The bars begin at `zero`; the longest is that of the greatest value.
    """

    title: str
    values: Sequence[float | None]
    texts: Sequence[str]
    zero: float = 0.0


def bars(title: str, rows: Sequence[str], panels: Sequence[Panel], note: str = "") -> str:
    """The SVG: grey letters that can be read on white and on black."""
    labels = [label if len(label) <= _MOST_LABEL else f"{label[: _MOST_LABEL - 1]}…" for label in map(printable, rows)]
    left = 16 + _LETTER * max(map(len, labels), default=0)
    widths = [_panel_width(panel) for panel in panels]
    bottom = _TOP + _ROW * len(rows)
    right = max(left + sum(widths) + _GAP * len(panels), 16 + _LETTER * max(len(title), len(note)))
    parts = [_text(8, 16, title, bold=True)]
    parts += [_text(left - 8, _TOP + _ROW * at + _BAR, label, "end") for at, label in enumerate(labels)]
    at_x = left
    for panel, width in zip(panels, widths, strict=True):
        parts += _panel(panel, at_x)
        at_x += width + _GAP
    if note:
        parts.append(_text(8, bottom + 14, note))
    style = 'font-family="ui-monospace, monospace" font-size="12" fill="#777"'
    size = f"{right:.0f} {bottom + (24 if note else 4)}"
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" {style}>\n' + "\n".join(parts) + "\n</svg>\n"


def _panel_width(panel: Panel) -> float:
    widest = max((len(t) for t in panel.texts), default=0)
    return max(_LETTER * len(panel.title), _BAR_WIDTH + max(_VALUE_WIDTH, 6 + _LETTER * widest))


def _panel(panel: Panel, left: float) -> list[str]:
    parts = [_text(left, _TOP - 10, panel.title)]
    longest = max((v - panel.zero for v in panel.values if v is not None), default=0.0)
    for at, (value, text) in enumerate(zip(panel.values, panel.texts, strict=True)):
        y = _TOP + _ROW * at
        length = 0.0
        if value is not None:
            length = max(1.0, _BAR_WIDTH * max(0.0, value - panel.zero) / longest if longest else 1.0)
            parts.append(f'<rect x="{left:.0f}" y="{y + 2}" width="{length:.1f}" height="{_BAR}" fill="#1565c0" fill-opacity="0.7"/>')
        parts.append(_text(left + length + 6, y + _BAR, text))
    return parts


def _text(x: float, y: float, words: str, anchor: str = "start", *, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}"{weight}>{escape(printable(words))}</text>'
