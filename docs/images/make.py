"""Writes docs/images/matrix.svg from a real run of the demo's bundle.

make demo
.venv/bin/python docs/images/make.py
"""

from __future__ import annotations

import io
import re
from pathlib import Path

from rich.console import Console

from crossload.report import matrix
from crossload.report.results import Report

HERE = Path(__file__).parent
REPORT = HERE.parents[1] / "build" / "demo" / "report.json"


def main() -> None:
    """The matrix as the terminal shows it, without fonts of other hosts."""
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
