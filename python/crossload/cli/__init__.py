"""The command line: a group that imports a command's module only when that command is called."""

from __future__ import annotations

import errno
import io
import signal
import sys
from importlib import import_module
from typing import Any

import click

from crossload.cli.framework import Group
from crossload.errors import CrossloadError
from crossload.support.text import printable

# The modules crossload.cli.<command>, and the lines of `crossload --help`, which imports none of them.
COMMANDS = (
    ("show", "Describe a bundle, a SavedModel, a GraphDef, a .tflite, a Keras file or a checkpoint, without TensorFlow."),
    ("export", "Write a model as a bundle: artifacts, manifest and recorded answers."),
    ("convert", "Convert an artifact to another format; both must give the same answers."),
    ("check", "Predict which releases of TensorFlow will load an artifact, and what stops the others."),
    ("verify", "Prove that a bundle or an artifact predicts the same in every runtime."),
    ("report", "Show and merge the reports of earlier runs."),
    ("handoff", "Write a bundle as a Java project that builds and tests itself."),
    ("run", "Run an artifact once in one runtime and print or write its outputs."),
    ("checkpoint", "List, choose and delete the checkpoints of a folder."),
    ("runtimes", "List the runtimes and what each one lacks before it can run."),
    ("doctor", "Check this machine: Python, JDK, Maven, uv, disk, caches, runtimes."),
    ("completion", "Print the completion script of a shell."),
)


class _Failed(click.ClickException):
    """A CrossloadError for the terminal: one sentence and its exit status."""

    def __init__(self, error: CrossloadError) -> None:
        super().__init__(printable(str(error)))
        self.exit_code = error.exit_status  # type: ignore[misc]  # click declares a class constant

    def show(self, file: Any = None) -> None:
        click.echo(f"crossload: {self.message}", file=file, err=file is None)


class _Commands(Group):
    """Commands by the names of their modules."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name, _ in COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        found: click.Command = import_module(f"crossload.cli.{cmd_name}").command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except CrossloadError as error:
            raise _Failed(error) from error
        except KeyboardInterrupt:
            click.echo("crossload: interrupted; nothing half-written is left behind", err=True)
            ctx.exit(130)  # 128 + SIGINT, as a shell reports it
        except OSError as error:
            # click handles a closed output pipe quietly; the user has to know about a file that cannot be read or written.
            if error.errno == errno.EPIPE or error.strerror is None:
                raise
            about = f"{error.filename}: " if error.filename else ""
            raise _Failed(CrossloadError(f"{about}{error.strerror}; check the path, its permissions and the space on its disk")) from error


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    examples=["show saved_model/", "export model.keras -o digits/", "verify digits/"],
)
@click.version_option(package_name="crossload", message="%(prog)s %(version)s")
def main() -> None:
    """Prove that a TensorFlow model exported in Python predicts the same in Java, on phones and on microcontrollers."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # after a CI server's SIGTERM: a partial report, no worker left
    # A terminal that cannot show a character prints its escape.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
