"""The site builds without a warning, its links lead somewhere, and a page fetches nothing from another host."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests import ROOT

# What the browser loads by itself; a link that a reader may follow is not.
_ELSEWHERE = r"""["']?(?:https?:)?//"""
_LOADED = re.compile(
    rf"<(?:script|img|iframe|source)\b[^>]*\ssrc={_ELSEWHERE}|"
    rf"<link\b[^>]*rel=[\"']?(?:stylesheet|preconnect|preload)[^>]*href={_ELSEWHERE}|"
    rf"@import\s+url\({_ELSEWHERE}"
)


@pytest.fixture(scope="module")
def site() -> Path:
    """The site as `make docs` builds it of the committed pages; mkdocs is strict, so that a broken link or anchor fails."""
    done = subprocess.run(["make", "-C", str(ROOT), "docs-site"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return ROOT / "build" / "site"


@pytest.mark.slow
def test_the_site_is_whole_and_loads_nothing_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) >= 20
    for file in [*pages, *site.rglob("*.css"), *site.rglob("*.svg")]:
        assert not _LOADED.search(file.read_text(encoding="utf-8")), file


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_links_of_pages_outside_docs_lead_to_files(page: str) -> None:
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (ROOT / target).exists() or target.startswith("docs/examples/"), f"{page}: {target}"


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.parametrize("image", sorted((ROOT / "docs" / "images").glob("*.svg")), ids=lambda p: p.name)
def test_an_image_is_small_and_fetches_no_font(image: Path) -> None:
    text = image.read_text(encoding="utf-8")
    assert len(text) < 100_000
    assert "url(http" not in text
    assert "@font-face" not in text
