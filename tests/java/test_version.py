"""One version: the Java modules take theirs from one property, which is the Python package's version."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from crossload import __version__
from tests import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

POM = {"": "http://maven.apache.org/POM/4.0.0"}


@pytest.mark.parametrize("project", [".", "bindings/jpype"])
def test_python_s_packages_have_one_version(project: str) -> None:
    assert tomllib.loads((ROOT / project / "pyproject.toml").read_text())["project"]["version"] == __version__


def test_java_has_the_version_of_the_python_package() -> None:
    assert ElementTree.parse(ROOT / "java/pom.xml").findtext("properties/revision", namespaces=POM) == __version__


@pytest.mark.parametrize("pom", sorted(ROOT.glob("java/*/pom.xml")), ids=lambda p: p.parent.name)
def test_a_module_states_no_version_of_crossload(pom: Path) -> None:
    assert ElementTree.parse(pom).findtext("parent/version", namespaces=POM) == "${revision}"
    assert not re.search(rf"<version>{re.escape(__version__)}</version>", pom.read_text())
