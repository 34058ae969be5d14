"""`crossload completion`: the script with which a shell completes commands, options and paths."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from crossload.cli.framework import Command
from crossload.errors import CrossloadError


@click.command(
    name="completion",
    cls=Command,
    examples=["completion bash >> ~/.bashrc", "completion zsh >> ~/.zshrc", "completion fish > ~/.config/fish/completions/crossload.fish"],
    exit_status="0 printed, 2 unknown shell.",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of SHELL; start a new shell after installing it."""
    from crossload.cli.group import main

    found = get_completion_class(shell)
    if found is None:
        raise CrossloadError(f"there is no completion for {shell}")
    click.echo(found(main, {}, "crossload", "_CROSSLOAD_COMPLETE").source())
