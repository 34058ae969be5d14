"""The guide's dependencies are those with which a consumer was tried."""

from __future__ import annotations

from tests import ROOT
from tests.docs import blocks
from tests.java.released import PUBLISHED

GUIDE = ROOT / "docs/guides/java-dependency.md"


def test_the_guide_s_dependencies_are_those_of_a_tried_consumer() -> None:
    (shown,) = (block.text for block in blocks.blocks_of(GUIDE) if block.language == "xml")
    tried = (ROOT / "tests/java/consumers/plain/pom.xml").read_text(encoding="utf-8")
    properties, rest = shown.split("  <dependencyManagement>")
    managed, used = rest.split("  </dependencyManagement>\n\n")
    assert f"  <dependencyManagement>{managed}  </dependencyManagement>\n\n{used}" in tried
    for line in properties.splitlines():
        assert "crossload.version" in line or line in tried, line


def test_the_guide_names_everything_that_is_published() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    assert [name for name in (*PUBLISHED, "bom") if f"`crossload-{name}`" not in text] == []
