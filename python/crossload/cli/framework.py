"""What all commands share: help with examples first and options in groups, and old spellings that still work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

_Function = TypeVar("_Function", bound=Callable[..., Any])

# In this order in every help page; an option names its group.
WHAT, CLOSE, REQUESTS, LOADING, CONVERSION, EDITS, CHECKPOINTS, LIMITS, OUTPUT = GROUPS = (
    "What",
    "How close",
    "Requests",
    "Loading",
    "Conversion",
    "Edits of a .tflite",
    "Checkpoints",
    "Limits",
    "Output",
)


class Option(click.Option):
    """An option of one of the groups."""

    def __init__(self, *declarations: Any, group: str = OUTPUT, **attributes: Any) -> None:
        super().__init__(*declarations, **attributes)
        self.group = group


class Command(click.Command):
    """A command whose help begins with `examples`; `old` maps old spellings of options, without dashes, to those of today."""

    def __init__(
        self, *arguments: Any, examples: Sequence[str] = (), exit_status: str = "", old: Mapping[str, str] | None = None, **attributes: Any
    ) -> None:
        if old:
            attributes["context_settings"] = {"token_normalize_func": lambda name: old.get(name, name)}
        super().__init__(*arguments, **attributes)
        self.examples, self.exit_status = examples, exit_status

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Usage, examples, the description, the options by group, the exit status."""
        self.format_usage(ctx, formatter)
        write_examples(formatter, self.examples)
        self.format_help_text(ctx, formatter)
        self.format_options(ctx, formatter)
        if self.exit_status:
            with formatter.section("Exit status"):
                formatter.write_text(self.exit_status)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options by group."""
        records: dict[str, list[tuple[str, str]]] = {group: [] for group in GROUPS}
        for parameter in self.get_params(ctx):
            if record := parameter.get_help_record(ctx):
                records[getattr(parameter, "group", OUTPUT)].append(record)
        for group, rows in records.items():
            if rows:
                with formatter.section(group):
                    formatter.write_dl(rows)


class Group(click.Group):
    """A group of commands whose help begins with examples."""

    def __init__(self, *arguments: Any, examples: Sequence[str] = (), **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.examples = examples

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Usage, examples, the description, the commands."""
        self.format_usage(ctx, formatter)
        write_examples(formatter, self.examples)
        self.format_help_text(ctx, formatter)
        self.format_options(ctx, formatter)


def write_examples(formatter: click.HelpFormatter, examples: Sequence[str]) -> None:
    """A section of commands that work."""
    if examples:
        with formatter.section("Examples"):
            for example in examples:
                formatter.write(f"{'':>{formatter.current_indent}}crossload {example}\n")


def option(*declarations: str, group: str = OUTPUT, **attributes: Any) -> Callable[[_Function], _Function]:
    """`click.option` in a group."""
    return click.option(*declarations, cls=Option, group=group, **attributes)


def stacked(*options: Callable[[_Function], _Function]) -> Callable[[_Function], _Function]:
    """Several options as one decorator, in the order of the help page."""

    def decorate(function: _Function) -> _Function:
        for one in reversed(options):
            function = one(function)
        return function

    return decorate


def said() -> set[str]:
    """The names of the parameters that the command line gives."""
    context = click.get_current_context()
    return {name for name in context.params if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE}


def listed(texts: Sequence[str] | str | None) -> tuple[str, ...] | None:
    """The names given to a repeatable option, which may also be separated by commas; None if the option was not given."""
    if texts is None or texts == ():
        return None
    return tuple(name.strip() for text in ([texts] if isinstance(texts, str) else texts) for name in text.split(",") if name.strip())
