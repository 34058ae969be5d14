"""Options that several commands share, and how the help shows examples."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from crossload.errors import CrossloadError

if TYPE_CHECKING:
    from crossload.inputs.requests import Wishes
    from crossload.runtimes.supervisor import Limits

_Function = TypeVar("_Function", bound=Callable[..., Any])
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def examples(*commands: str) -> str:
    """The epilogue of a help page."""
    return "\b\nExamples:\n" + "\n".join(f"  crossload {c}" for c in commands)


def limits(function: _Function) -> _Function:
    """`--time-limit` and `--memory-limit`."""
    time = click.option(
        "--time-limit", "time_limit", multiple=True, metavar="PHASE=SECONDS", help="For start (120), load (120) or run (60); repeatable."
    )
    memory = click.option("--memory-limit", "memory_limit", metavar="SIZE", help="What a worker may hold, e.g. 4G; above it, it is killed.")
    return time(memory(function))


def wishes(function: _Function) -> _Function:
    """`--vectors`, `--seed`, `--inputs` and `--shape`."""
    for option in (
        click.option(
            "--vectors",
            "count",
            type=click.IntRange(1, 1000),
            default=8,
            show_default=True,
            help="How many requests to make for a signature.",
        ),
        click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the random requests."),
        click.option("--inputs", "npz", multiple=True, metavar="FILE.npz", help="Own inputs by name, one vector a file; repeatable."),
        click.option(
            "--shape",
            "shapes",
            multiple=True,
            metavar="NAME=1,224,224,3",
            help="The shape of an input that the model leaves open (-1: batch).",
        ),
    ):
        function = option(function)
    return function


def tensors(function: _Function) -> _Function:
    """`--input-tensor` and `--output-tensor`: a graph's signature by the names of its tensors."""
    metavar = "[NAME=]TENSOR"
    taken = "A graph's input, as OPERATION or OPERATION:INDEX, with the name it gets; repeatable. Without it: those that are needed."
    given = "A graph's output, likewise; repeatable. Without it: the likely ones (`crossload show` ranks them)."
    function = click.option("--output-tensor", "output_tensors", multiple=True, metavar=metavar, help=given)(function)
    return click.option("--input-tensor", "input_tensors", multiple=True, metavar=metavar, help=taken)(function)


def loader(function: _Function) -> _Function:
    """`--loader`: how Python's TensorFlow loads a SavedModel."""
    ways = click.Choice(["function", "session", "keras"])
    text = "How `tensorflow` loads a SavedModel: by tf.saved_model.load (then by session), in a session, or by Keras 3's TFSMLayer."
    return click.option("--loader", type=ways, help=text)(function)


def keras(function: _Function) -> _Function:
    """`--custom-objects` and `--allow-code`: what a Keras file may need to be loaded."""
    code = "Keras files: load the code of Lambda layers, which can do anything; only for files you trust."
    function = click.option("--allow-code", is_flag=True, help=code)(function)
    own = click.Path(path_type=Path, exists=True, dir_okay=False)
    return click.option("--custom-objects", type=own, metavar="FILE.py", help="Keras files: where the model's own classes are.")(function)


def load_options(given: dict[str, Any]) -> dict[str, Any]:
    """What `keras`' options say, as ModelSource takes it."""
    named = {
        "loader": given.get("loader"),
        "custom_objects": given["custom_objects"] and str(given["custom_objects"].resolve()),
        "allow_code": given["allow_code"],
    }
    return {k: v for k, v in named.items() if v}


def to_limits(given: dict[str, Any]) -> Limits:
    """The limits of `limits`' options; raises CrossloadError."""
    from crossload.runtimes.supervisor import Limits

    seconds = {}
    for text in given["time_limit"]:
        match = re.fullmatch(r"(start|load|run)=([0-9]*\.?[0-9]+)", text)
        if not match or float(match[2]) <= 0:
            raise CrossloadError(f"--time-limit {text!r}: write start, load or run, then =SECONDS")
        seconds[match[1]] = float(match[2])
    return Limits(**seconds, memory=_size(given["memory_limit"]))


def to_wishes(count: int, seed: int, npz: tuple[str, ...], shapes: tuple[str, ...]) -> Wishes:
    """The wishes of `wishes`' options; raises CrossloadError."""
    from crossload.inputs.requests import Wishes, from_npz

    parsed = {}
    for text in shapes:
        match = re.fullmatch(r"(.+)=(-?\d+(?:,-?\d+)*)?", text)
        if not match or any(int(d) < -1 for d in (match[2] or "").split(",") if d):
            raise CrossloadError(f"--shape {text!r}: write NAME=1,224,224,3 (-1 for the batch)")
        parsed[match[1]] = tuple(int(d) for d in (match[2] or "").split(",") if d)
    return Wishes(count, seed, parsed, tuple(from_npz(Path(f)) for f in npz))


def _size(text: str | None) -> int | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMG]?)i?B?", text)
    if not match or float(match[1]) == 0:
        raise CrossloadError(f"--memory-limit {text!r}: write a size such as 500M or 4G")
    return int(float(match[1]) * _UNITS[match[2]])
