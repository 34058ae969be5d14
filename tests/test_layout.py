"""The layout shows the process: only TensorFlow's process and the workers import TensorFlow; every module states its purpose."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests import ROOT

PACKAGE = ROOT / "python" / "crossload"
MODULES = sorted(p for p in PACKAGE.rglob("*.py"))
HEAVY = ("tensorflow", "keras")
# Loose modules of the package: the face, its errors, and loading and running.
LOOSE = {"__init__.py", "errors.py", "model.py"}


def name(module: Path) -> str:
    return str(module.relative_to(PACKAGE))


def imported(module: Path) -> set[str]:
    """The top-level packages that a module imports, inside functions and by name (import_module, __import__), too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
        elif isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in ("import_module", "__import__"):
            found |= {str(a.value).split(".")[0] for a in node.args if isinstance(a, ast.Constant)}
    return found


@pytest.mark.parametrize("module", [m for m in MODULES if name(m).split("/")[0] not in ("tf_process", "workers")], ids=name)
def test_the_core_imports_no_tensorflow(module: Path) -> None:
    assert not imported(module) & set(HEAVY)


@pytest.mark.parametrize("module", [m for m in MODULES if m.stat().st_size], ids=name)
def test_every_module_begins_with_its_purpose(module: Path) -> None:
    text = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))
    assert text
    assert text.split("\n")[0].endswith((".", ":", "`"))


def test_only_the_face_its_errors_and_the_loaded_model_lie_outside_a_package() -> None:
    assert {p.name for p in PACKAGE.glob("*.py")} == LOOSE


def test_a_verb_has_one_room_with_a_module_of_its_name() -> None:
    rooms = [p for p in (PACKAGE / "verbs").iterdir() if p.is_dir() and p.name != "__pycache__"]
    assert {p.name for p in rooms} == {
        "check",
        "compare",
        "convert",
        "diagnose",
        "doctor",
        "export",
        "handoff",
        "profile",
        "show",
        "verify",
    }
    for room in rooms:
        assert (room / f"{room.name}.py").is_file()


def test_no_link_crosses_the_tree() -> None:
    assert not [p for top in ("python", "bindings", "java", "tests") for p in (ROOT / top).rglob("*") if p.is_symlink()]


def test_tests_mirror_the_code() -> None:
    rooms = {p.name for p in PACKAGE.iterdir() if p.is_dir() and p.name != "__pycache__"}
    assert rooms <= {p.name for p in (ROOT / "tests").iterdir()} | {"releases"}


def test_every_maven_module_that_the_makefile_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = {module for found in re.findall(r"-pl (\S+)", makefile) for module in found.split(",")}
    named |= set(re.findall(r"java/([\w.-]+)/src/main", makefile))
    modules = set(re.findall(r"<module>([^<]+)</module>", (ROOT / "java" / "pom.xml").read_text(encoding="utf-8")))
    assert named
    assert named <= modules
