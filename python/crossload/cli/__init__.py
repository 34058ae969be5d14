"""The command line: its commands, and its start, which answers --help and --version before click is loaded."""

from __future__ import annotations

import errno
import gc
import os
import sys

from crossload import __version__

TYPE_CHECKING = False  # as in typing, whose import takes a third of the time of --help
if TYPE_CHECKING:
    from collections.abc import Iterator

    from crossload.cli.group import main as main

# The modules crossload.cli.<command>, and the lines of `crossload --help`, which imports none of them.
COMMANDS = (
    ("show", "Describe a bundle, a SavedModel, a GraphDef, a .tflite, a Keras file or a checkpoint, without TensorFlow."),
    ("export", "Write a model as a bundle: artifacts, manifest and recorded answers."),
    ("convert", "Convert an artifact to another format; both must give the same answers."),
    ("check", "Predict which releases of TensorFlow will load an artifact, and what stops the others."),
    ("verify", "Prove that a bundle or an artifact predicts the same in every runtime."),
    ("diagnose", "Find the first inner tensor that differs between an artifact and its reference."),
    ("compare", "Compare the variants of a bundle: size, accuracy, worst error, latency, arena."),
    ("profile", "Measure what a model costs in every runtime: time, memory, arena, work by layer."),
    ("report", "Show and merge the reports of earlier runs."),
    ("handoff", "Write a bundle as a Java project that builds and tests itself."),
    ("run", "Run an artifact once in one runtime and print or write its outputs."),
    ("checkpoint", "List, choose and delete the checkpoints of a folder."),
    ("runtimes", "List the runtimes and what each one lacks before it can run."),
    ("doctor", "Check this machine: Python, JDK, Maven, uv, disk, caches, runtimes."),
    ("completion", "Print the completion script of a shell."),
)
_EXAMPLES = ("show saved_model/", "export model.keras -o digits/", "verify digits/")
_PROMISE = "Prove that a TensorFlow model exported in Python predicts the same in Java, on phones and on microcontrollers."
_OPTIONS = (("--version", "Show the version and exit."), ("-h, --help", "Show this message and exit."))


def start() -> None:
    """Run the command line of this process, and end the process."""
    if text := _answer(sys.argv[1:]):
        return _print(text)
    # What is imported is no garbage: to look for garbage during the imports, and once more at the end, takes a fifth of a short command.
    gc.set_threshold(50_000)
    from crossload.cli import streams

    streams.protect()
    from crossload.cli.group import main

    try:
        main()
    except SystemExit as end:
        sys.stdout.flush()
        if not end.code and streams.failures:
            print(f"crossload: {streams.failures[0]}; check where it goes and the space there", file=sys.stderr)
            sys.exit(2)
        raise
    finally:
        gc.freeze()


def overview(width: int) -> str:
    """The page of `crossload --help` in lines of at most `width` characters."""
    return "\n".join(
        (
            "Usage: crossload [OPTIONS] COMMAND [ARGS]...",
            "\nExamples:",
            *(f"  crossload {example}" for example in _EXAMPLES),
            "",
            *(f"  {line}" for line in _wrapped(_PROMISE, width - 2)),
            "\nOptions:",
            *_rows(_OPTIONS, width),
            "\nCommands:",
            *_rows(COMMANDS, width),
            "",
        )
    )


def _answer(arguments: list[str]) -> str:
    """What the command line prints without a command's help; empty for every other command line."""
    if arguments == ["--version"]:
        return f"crossload {__version__}\n"
    if arguments in (["--help"], ["-h"]):
        return overview(max(50, min(80, _columns()) - 2))  # click's widths
    return ""


def _print(text: str) -> None:
    try:
        os.write(1, text.encode())
    except OSError as error:
        if error.errno in (errno.EPIPE, errno.EBADF):  # the reader has what it wanted, or there is none
            return
        sys.exit(f"crossload: standard output: {error.strerror}; check where it goes and the space there")


def _columns() -> int:
    """The width of the terminal, as shutil.get_terminal_size gives it; importing that module takes as long as the rest."""
    try:
        return int(os.environ.get("COLUMNS", "0")) or os.get_terminal_size(1).columns or 80
    except (ValueError, OSError):
        return 80


def _rows(rows: tuple[tuple[str, str], ...], width: int) -> Iterator[str]:
    indent = max(len(name) for name, _ in rows) + 4
    for name, text in rows:
        first, *rest = _wrapped(text, width - indent)
        yield f"  {name}".ljust(indent) + first
        yield from (" " * indent + line for line in rest)


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return lines


def __getattr__(name: str) -> object:
    if name != "main":
        raise AttributeError(f"module 'crossload.cli' has no attribute {name!r}")
    from crossload.cli.group import main

    return main
