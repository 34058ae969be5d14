"""The command line teaches: examples first, options in the same groups everywhere, old spellings accepted and not shown."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from crossload.cli import COMMANDS, main
from crossload.cli.framework import GROUPS, Command, Option

NAMES = [name for name, _ in COMMANDS]
SHARED = ("--time-limit", "--memory-limit", "--count", "--seed", "--shape", "--tolerance", "--load-with")
OLD = {
    "verify": ["--runtimes", "--vectors", "--inputs", "--quiet"],
    "check": ["--for"],
    "convert": ["--for", "--with", "--vectors", "--inputs"],
    "export": ["--with", "--vectors", "--inputs"],
    "run": ["--inputs", "--outputs"],
}


def help_of(*command: str) -> str:
    done = CliRunner().invoke(main, [*command, "--help"])
    assert done.exit_code == 0, done.output
    return done.stdout


def found(name: str) -> click.Command:
    command = main.get_command(click.Context(main), name)
    assert command
    return command


@pytest.mark.parametrize("name", NAMES)
def test_help_starts_with_examples_of_the_command(name: str) -> None:
    text = help_of(name)
    usage, _, rest = text.partition("\n\n")
    assert usage.startswith("Usage:")
    assert rest.startswith("Examples:\n")
    lines = rest.splitlines()[1:]
    examples = lines[: lines.index("")]
    assert all(line.strip().startswith(f"crossload {name}") for line in examples)
    assert examples


@pytest.mark.parametrize("name", [n for n in NAMES if n != "checkpoint"])
def test_options_are_in_the_groups_in_their_order(name: str) -> None:
    command = found(name)
    assert isinstance(command, Command)
    assert all(isinstance(p, Option) for p in command.params if isinstance(p, click.Option))
    headings = [line.rstrip(":") for line in help_of(name).splitlines() if line.rstrip(":") in GROUPS and line.endswith(":")]
    assert headings == [g for g in GROUPS if g in headings]


def test_an_option_of_the_same_meaning_is_spelt_and_grouped_alike_in_every_command() -> None:
    seen: dict[str, tuple[str, str]] = {}
    for name in ("export", "convert", "verify", "run"):
        for parameter in found(name).params:
            if isinstance(parameter, Option) and parameter.opts[0] in (
                "--time-limit",
                "--memory-limit",
                "--count",
                "--seed",
                "--shape",
                "--tolerance",
                "--load-with",
            ):
                said = (parameter.group, str(parameter.help))
                assert seen.setdefault(parameter.opts[0], said) == said


@pytest.mark.parametrize(("name", "spelling"), [(n, s) for n, spellings in OLD.items() for s in spellings])
def test_an_old_spelling_is_accepted_and_not_shown(name: str, spelling: str) -> None:
    assert f"{spelling} " not in help_of(name)
    said = CliRunner().invoke(main, [name, "path", "other", spelling, "1"]).output
    assert "No such option" not in said


def test_every_option_differs_from_every_other_of_its_command_by_more_than_one_letter() -> None:
    for name in NAMES:
        spelt = [
            o.lstrip("-") for p in found(name).params if isinstance(p, click.Option) and not p.hidden for o in p.opts if o.startswith("--")
        ]
        alike = [(a, b) for a in spelt for b in spelt if a != b and a == f"{b}s"]
        assert not alike, (name, alike)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_is_printed(shell: str) -> None:
    text = CliRunner().invoke(main, ["completion", shell]).stdout
    assert "_CROSSLOAD_COMPLETE" in text


def test_the_completion_completes_commands_and_options() -> None:
    def completed(words: str, at: int) -> list[str]:
        environment = {**os.environ, "_CROSSLOAD_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(at)}
        command = [str(Path(sys.executable).with_name("crossload"))]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()

    assert completed("crossload ver", 1) == ["plain,verify"]
    options = completed("crossload verify --ru", 2)
    assert options == ["plain,--runtime"]
