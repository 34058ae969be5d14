"""`crossload checkpoint`: the checkpoints of a folder, and the state file that says which one is the latest."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crossload.cli.framework import Command, Group, option
from crossload.support.text import printable

if TYPE_CHECKING:
    from crossload.edits.checkpoint_folders import Held

_FOLDER = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))


@click.group(
    name="checkpoint",
    cls=Group,
    examples=[
        "checkpoint list train/",
        "checkpoint use train/ model.ckpt-1000",
        "checkpoint remove train/ model.ckpt-200",
        "checkpoint prune train/ --keep 3 --keep-every 10000 --dry-run",
    ],
)
def command() -> None:
    """List, choose and delete the checkpoints of a folder, and keep its state file `checkpoint` up to date for TensorFlow."""


@command.command("list", cls=Command, examples=["checkpoint list train/ --json | jq .served"])
@_FOLDER
@option("--check", is_flag=True, help="Also read every value and verify its checksum.")
@option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def list_(folder: Path, check: bool, as_json: bool) -> None:
    """List DIR's checkpoints, oldest first: step, time, size, missing files, and which one is served (*)."""
    from crossload.cli.pages.page import columns, warning
    from crossload.edits import checkpoint_folders

    found = checkpoint_folders.read(folder, check)
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=1, allow_nan=False))
        return
    rows = [
        (
            "*" if held.served else " ",
            printable(held.name),
            "" if held.step is None else f"step {held.step:,}",
            datetime.fromtimestamp(held.time).strftime("%Y-%m-%d %H:%M:%S"),
            f"{held.size_bytes:,} bytes",
            (held.version or "").upper(),
            warning(printable(held.problem)) if held.problem else "complete",
        )
        for held in found.checkpoints
    ]
    click.echo("\n".join(columns(rows)))
    if found.problem:
        click.echo(warning(f"! {printable(found.problem)}"))


@command.command("show", cls=Command, examples=["checkpoint show train/", "checkpoint show train/ model.ckpt-1000 --tensor dense/kernel"])
@_FOLDER
@click.argument("name", required=False)
@option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@option("--all", "everything", is_flag=True, help="Leave nothing out of the text.")
@option("--tensor", metavar="NAME", help="Print the value of this variable.")
@click.pass_context
def show(context: click.Context, folder: Path, name: str | None, as_json: bool, everything: bool, tensor: str | None) -> None:
    """Describe the checkpoint NAME of DIR, or the served one, as `crossload show` does."""
    from crossload.cli import show as page
    from crossload.edits import checkpoint_folders

    path = folder
    if name is not None:
        held = checkpoint_folders.read(folder).named(name)
        path = folder / (f"{held.name}.index" if (folder / f"{held.name}.index").is_file() else held.name)
    context.invoke(page.command, paths=(path,), as_json=as_json, everything=everything, tensor=tensor)


@command.command("use", cls=Command, examples=["checkpoint use train/ model.ckpt-1000"])
@_FOLDER
@click.argument("name")
def use(folder: Path, name: str) -> None:
    """Make NAME the checkpoint of DIR that `tf.train.latest_checkpoint` returns and that training continues from."""
    from crossload.edits import checkpoint_folders

    found = checkpoint_folders.use(folder, name)
    click.echo(f"{printable(str(folder))} serves {printable(found.served.name if found.served else name)}")


@command.command("remove", cls=Command, examples=["checkpoint remove train/ model.ckpt-200 model.ckpt-400"])
@_FOLDER
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@option("--force", is_flag=True, help="Also remove the served checkpoint; the newest remaining one is then served.")
def remove(folder: Path, names: tuple[str, ...], force: bool) -> None:
    """Delete the checkpoints NAME of DIR with their graphs (.meta) and their entries in the state file."""
    from crossload.edits import checkpoint_folders

    for held in checkpoint_folders.remove(folder, names, force):
        click.echo(f"removed {_described(held)}")


@command.command("prune", cls=Command, examples=["checkpoint prune train/ --keep 3 --dry-run"])
@_FOLDER
@option("--keep", type=click.IntRange(1), required=True, metavar="N", help="How many of the newest checkpoints to keep for each base name.")
@option("--keep-every", type=click.IntRange(1), metavar="STEPS", help="Also keep each checkpoint whose step is a multiple of this.")
@option("--dry-run", is_flag=True, help="Only print what would be removed.")
def prune(folder: Path, keep: int, keep_every: int | None, dry_run: bool) -> None:
    """Delete all but the N newest checkpoints of DIR; keeps the served one and incomplete ones."""
    from crossload.edits import checkpoint_folders

    going = checkpoint_folders.to_prune(checkpoint_folders.read(folder), keep, keep_every)
    if going and not dry_run:
        checkpoint_folders.remove(folder, [held.name for held in going])
    for held in going:
        click.echo(f"{'would remove' if dry_run else 'removed'} {_described(held, dry_run)}")
    if not going:
        click.echo("nothing to remove")


def _described(held: Held, with_size: bool = False) -> str:
    size = f", {held.size_bytes:,} bytes" if with_size else ""
    return f"{printable(held.name)} ({len(held.files)} files{size})"
