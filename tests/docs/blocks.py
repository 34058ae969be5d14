"""Fenced blocks of a Markdown page, and how each kind runs.

```sh, ```python and ```java run; ```toml, ```python and ```java whose first line is a comment with a file's name (`# train.py`) are
written as that file, for a later block to use. ```text, ```console, ```json and ```xml are output or examples of form.
An HTML comment before a block says what else there is to know: `<!-- not run: reason -->`, `<!-- exit status: 1 -->`,
`<!-- with TensorFlow -->`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from crossload.runtimes import environments, registry
from tests import ROOT, SOURCES

RUN = ("sh", "python", "java")
SHOWN = ("text", "console", "json", "xml")
_FENCE = re.compile(r"^(?:<!-- (?P<said>[^\n]*) -->\n)?```(?P<language>[a-z]*)[^\n]*\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"(?:#|//) (\S+\.(?:py|java|toml))\n")
_SECONDS = 900
_IMPORTS = ("io.crossload.*", "java.nio.file.*", "java.util.*")


@dataclass(frozen=True)
class Block:
    """A fenced block: where it begins, its language, and what the comment before it says."""

    page: Path
    line: int
    language: str
    text: str
    said: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def file(self) -> str | None:
        """The file that this block is the text of."""
        named = _FILE.match(self.text)
        return named[1] if named and self.language != "sh" else None

    @property
    def runs(self) -> bool:
        """Whether the test runs or writes it."""
        return (self.language in RUN or self.file is not None) and not self.said.startswith("not run: ")

    @property
    def status(self) -> int:
        """The exit status that the page promises."""
        return int(self.said.removeprefix("exit status: ")) if self.said.startswith("exit status: ") else 0


def blocks_of(page: Path) -> list[Block]:
    """The page's blocks, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(page, text.count("\n", 0, m.start("language")) + 1, m["language"], m["text"], m["said"] or "") for m in _FENCE.finditer(text)
    ]


def pages() -> list[Path]:
    """README and the pages of docs/, without the examples, which are projects with tests of their own."""
    return [ROOT / "README.md", *(p for p in sorted((ROOT / "docs").rglob("*.md")) if "examples" not in p.relative_to(ROOT).parts)]


def runs(page: Path) -> bool:
    """Whether the page has a block that runs."""
    return any(block.runs for block in blocks_of(page))


def check(page: Path, folder: Path, demo: Path, sources: Path) -> None:
    """Run the page's blocks in order in the folder, which holds the demo's bundle as digits/ and a small model in every format."""
    shutil.copytree(demo, folder / "digits")
    shutil.copytree(sources, folder, dirs_exist_ok=True)
    for block in blocks_of(page):
        if block.runs:
            done = run(block, folder)
            assert done.returncode == block.status, f"{block}\n{block.text}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def run(block: Block, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a block in the folder, or write the file that it is."""
    if block.file:
        target = folder / block.file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(block.text, encoding="utf-8")
        return subprocess.CompletedProcess([], block.status, "", "")
    return subprocess.run(
        _command(block, folder), cwd=folder, env=_environment(block), capture_output=True, text=True, check=False, timeout=_SECONDS
    )


def _command(block: Block, folder: Path) -> list[str]:
    if block.language == "sh":
        return ["bash", "-e", "-o", "pipefail", "-c", block.text]
    if block.language == "python":
        interpreter = sys.executable
        if block.said == "with TensorFlow":
            interpreter = environments.prepare(environments.Script(SOURCES / "live_model.py")).argv[0]
        return [interpreter, "-c", block.text]
    source = folder / f"Block{block.line}.java"
    imports = "".join(f"import {name};\n" for name in _IMPORTS)
    source.write_text(
        f"{imports}class Block{block.line} {{ public static void main(String[] arguments) throws Exception {{\n{block.text}}} }}\n",
        encoding="utf-8",
    )
    return ["java", *environments.prepare(registry.one("tensorflow-java").source).argv[1:-1], str(source)]


def _environment(block: Block) -> Mapping[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    given = {"PATH": path, "TERM": "dumb", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    python = {"PYTHONPATH": str(ROOT / "python")} if block.said == "with TensorFlow" else {}
    return {**os.environ, **given, **python}
