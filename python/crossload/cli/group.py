"""The group of all commands, which imports a command's module only when that command is called."""

from __future__ import annotations

import errno
import io
import signal
import sys
from importlib import import_module
from typing import Any

import click

from crossload import __version__
from crossload.cli import COMMANDS, overview
from crossload.errors import CrossloadError
from crossload.support.text import printable


class _Failed(click.ClickException):
    """A CrossloadError for the terminal: one sentence, after its figures if it has some, and its exit status."""

    def __init__(self, error: CrossloadError) -> None:
        super().__init__(printable(str(error)))
        self.exit_code = error.exit_status  # type: ignore[misc]  # click declares a class constant
        self._table = error.table

    def show(self, file: Any = None) -> None:
        for line in self._table:
            click.echo(line, file=file, err=file is None)
        click.echo(f"crossload: {self.message}", file=file, err=file is None)


class _Commands(click.Group):
    """Commands by the names of their modules."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name, _ in COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        found: click.Command = import_module(f"crossload.cli.{cmd_name}").command
        return found

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write(overview(formatter.width))

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


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def main() -> None:
    # After a CI server's SIGTERM, or where the terminal was closed: a partial report, no worker left. `nohup` ignores SIGHUP.
    for ending in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ending) is signal.SIG_DFL:
            signal.signal(ending, signal.default_int_handler)
    # A terminal that cannot show a character prints its escape.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
