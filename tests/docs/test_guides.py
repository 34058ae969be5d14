"""Every block of the guides does what its page says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs import blocks


@pytest.mark.slow
@pytest.mark.parametrize("page", [p for p in blocks.pages() if p.parent.name == "guides" and blocks.runs(p)], ids=lambda p: p.name)
def test_the_blocks_of_a_guide_run(page: Path, demo: Path, sources: Path, tmp_path: Path) -> None:
    blocks.check(page, tmp_path, demo, sources)
