"""Writes docs/images/matrix.svg from a real run of the demo's bundle, and rounding.svg from the figures below.

make demo
.venv/bin/python docs/images/make.py
"""

from __future__ import annotations

import io
import math
import re
from pathlib import Path

from rich.console import Console

from crossload.report import matrix
from crossload.report.results import Report

HERE = Path(__file__).parent
REPORT = HERE.parents[1] / "build" / "demo" / "report.json"


# × rounding, the widest of 8 vectors each: models of tests/corpus/healthy.py, exported with default options; their .tflite in LiteRT,
# and their frozen graph in TensorFlow with the largest constant changed.
DAMAGES = ("times 1.001", "one weight times 1.5", "zeros", "rolled by one")
MEASURED = {
    "layer_norm_at_mean_1000": (0.79,),
    "u_net": (1.87, 4.66e3, 4e5, 4.66e6, 8.45e6),
    "thousand_classes": (2.7, 1.32e4, 3.61e4, 4.58e6, 1.07e7),
    "vgg_logits": (2.91, 3.35e3, 1.18e5, 3.35e6, 1.11e6),
    "sum_of_200000": (8.44, 5.59e3, 6.06e3, 5.59e6, 8.57e6),
    "bilinear_resize": (16.6, 5.59e3, 1.53e6, 5.59e6, 1.58e7),
}


def rounding() -> str:
    """The figures on a logarithmic axis, a row a model."""
    left, step, row, top = 190, 62, 26, 34
    bottom, right = top + row * len(MEASURED), left + 8.5 * step

    def x(value: float) -> float:
        return left + step * (math.log10(value) + 0.5)

    def text(at: float, y: float, words: str, anchor: str = "middle") -> str:
        return f'<text x="{at:.0f}" y="{y:.0f}" text-anchor="{anchor}">{words}</text>'

    parts = [f'<rect x="{left}" y="{top - 8}" width="{x(32) - left:.0f}" height="{bottom - top}" fill="#2e7d32" fill-opacity="0.12"/>']
    for power in range(8):
        at = x(10**power)
        parts.append(f'<line x1="{at:.0f}" x2="{at:.0f}" y1="{top - 8}" y2="{bottom - 8}" stroke="#999" stroke-opacity="0.4"/>')
        parts.append(text(at, bottom + 10, f"{10**power:,}"))
    parts += [text(x(1), top - 16, "close: up to 32", "start"), text(right, top - 16, "difference, × rounding", "end")]
    for at, (name, (healthy, *damaged)) in enumerate(MEASURED.items()):
        y = top + row * at + 6
        parts.append(text(left - 10, y + 4, name, "end"))
        parts.append(f'<circle cx="{x(healthy):.0f}" cy="{y}" r="5" fill="#2e7d32"><title>LiteRT: {healthy:g}</title></circle>')
        for value, damage in zip(damaged, DAMAGES, strict=False):
            shape = f'x="{x(value) - 4:.0f}" y="{y - 4}" width="8" height="8" fill="#c62828"'
            parts.append(f"<rect {shape}><title>{damage}: {value:g}</title></rect>")
    parts.append(f'<circle cx="{left}" cy="{bottom + 26}" r="5" fill="#2e7d32"/>')
    parts.append(text(left + 10, bottom + 30, "healthy, in LiteRT", "start"))
    parts.append(f'<rect x="{left + 146}" y="{bottom + 22}" width="8" height="8" fill="#c62828"/>')
    parts.append(text(left + 160, bottom + 30, "a constant damaged, in four ways", "start"))
    style = 'font-family="ui-monospace, monospace" font-size="12" fill="#777"'
    size = f"{right + 20:.0f} {bottom + 44}"
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" {style}>\n' + "\n".join(parts) + "\n</svg>\n"


def main() -> None:
    """The matrix as the terminal shows it, without fonts of other hosts; then the figures."""
    (HERE / "rounding.svg").write_text(rounding(), encoding="utf-8")
    report = Report.read(REPORT)
    report.bundle = "digits"
    console = Console(record=True, width=118, file=io.StringIO(), force_terminal=True)
    console.print("[bold]$ crossload verify digits/[/]")
    matrix.show(report, console)
    svg = console.export_svg(title="crossload verify digits/")
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL).replace("Fira Code", "ui-monospace")
    (HERE / "matrix.svg").write_text(re.sub(r"[ \t]+\n", "\n", svg), encoding="utf-8")


if __name__ == "__main__":
    main()
