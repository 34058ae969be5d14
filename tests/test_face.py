"""The public face: every verb is a name of crossload, with the same option types spelt alike; and it costs next to nothing to import."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import crossload
from crossload.cli import COMMANDS

# Commands of the shell itself, `report`, which is the class Report, and `compare`, which is compare_variants beside the room `compare`.
NOT_VERBS = {"completion", "report", "compare"}


@pytest.mark.parametrize("verb", [name for name, _ in COMMANDS if name not in NOT_VERBS])
def test_every_command_is_a_verb_of_the_face(verb: str) -> None:
    found = getattr(crossload, verb)
    assert callable(found) or inspect.ismodule(found)


def test_every_public_name_exists() -> None:
    for name in crossload.__all__:
        if name != "frozen_function":  # needs TensorFlow
            assert getattr(crossload, name) is not None


def test_every_error_that_can_be_caught_is_public() -> None:
    from crossload import errors

    own = {name for name, value in vars(errors).items() if inspect.isclass(value) and value.__module__ == errors.__name__}
    assert own <= set(crossload.__all__)
    assert all(name in str(errors.__doc__) for name in own)


def test_options_are_spelt_alike_in_every_verb() -> None:
    annotations: dict[str, str] = {}
    for verb in (crossload.export, crossload.convert, crossload.verify, crossload.load, crossload.run):
        for name, parameter in inspect.signature(verb).parameters.items():
            if name in ("requests", "tolerance", "limits", "progress", "alive", "tags", "load_with"):
                said = str(parameter.annotation).replace("Progress", "Callable[[str], None]")
                assert annotations.setdefault(name, said) == said, (verb, name)
    assert annotations["requests"] == "Requests | None"


def test_importing_crossload_imports_no_other_module_of_it_and_no_library() -> None:
    code = "import sys; before = set(sys.modules); import crossload; print(*sorted(m for m in set(sys.modules) - before))"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert [m for m in modules if m.split(".")[0] not in sys.stdlib_module_names] == ["crossload"]
