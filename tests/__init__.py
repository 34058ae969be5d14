"""The tests: they mirror python/crossload; makers of models are in corpus/, lying workers in fakes/, hostile inputs in attacks/."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
CORPUS = ROOT / "tests" / "corpus"
SOURCES = CORPUS / "sources"  # what `crossload export FILE.py:FUNCTION` is given
CONTRACT = ROOT / "bindings" / "contract"
