"""The tests mirror python/crossload; corpus/ makes models, fakes/ has misbehaving workers, attacks/ hostile inputs."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
CORPUS = ROOT / "tests" / "corpus"
SOURCES = CORPUS / "sources"  # what `crossload export FILE.py:FUNCTION` is given
CONTRACT = ROOT / "bindings" / "contract"
