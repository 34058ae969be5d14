"""The generated pages are what the generator writes."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest

from tests import ROOT


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGES = ("cli.md", "python.md", "errors.md", "manifest.md", "contract.md", "tflite-operators.md")


@pytest.mark.parametrize("page", PAGES)
def test_a_generated_page_is_current(page: str) -> None:
    made = generator().pages()
    assert set(made) == set(PAGES)
    assert (ROOT / "docs" / "reference" / page).read_text(encoding="utf-8") == made[page], "run: make docs-pages"
