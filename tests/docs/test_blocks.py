"""Every block of README and docs/ does what its page says: the blocks of a page run in order, in one folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import ROOT
from tests.docs import blocks

PAGES = blocks.pages()


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_block_says_what_it_is(page: Path) -> None:
    assert page.read_text(encoding="utf-8").count("\n```") == 2 * len(blocks.blocks_of(page))
    for block in blocks.blocks_of(page):
        assert block.language in (*blocks.RUN, *blocks.SHOWN, "toml", "yaml"), block
        assert block.language != "toml" or block.runs or block.said.startswith("not run: "), block
        assert not block.said.startswith("not run") or len(block.said) > len("not run: reason"), block


# The guides have a file of their own: a file is one core's work (Makefile).
@pytest.mark.slow
@pytest.mark.parametrize("page", [p for p in PAGES if p.parent.name != "guides" and blocks.runs(p)], ids=name)
def test_the_blocks_of_a_page_run(page: Path, demo: Path, sources: Path, tmp_path: Path) -> None:
    blocks.check(page, tmp_path, demo, sources)
