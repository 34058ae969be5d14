"""Options that several commands share, spelt and grouped alike in each, and what they mean."""

from __future__ import annotations

import re
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crossload.cli.framework import CLOSE, LIMITS, LOADING, REQUESTS, WHAT, listed, option, stacked
from crossload.errors import CrossloadError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console

    from crossload.compare.quality import Bounds
    from crossload.contract.manifest import Quality
    from crossload.inputs.requests import Requests
    from crossload.runtimes.supervisor import Limits
    from crossload.verbs.verify.quality import QualityTerms

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
RUNTIME = "NAME[@VERSION]"
# A file to write: click rejects a folder before any work starts.
WRITTEN = click.Path(path_type=Path, dir_okay=False, writable=True)

paths = click.argument("paths", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="PATH|-...")
tags = option("--tags", "-t", metavar="A,B", group=WHAT, help="The tag set of a SavedModel's MetaGraph.")
signatures = option("--signature", "-s", "signatures", multiple=True, metavar="NAME", group=WHAT, help="Only this signature; repeatable.")
runtimes = option(
    "--runtime",
    "-r",
    "runtimes",
    multiple=True,
    metavar=RUNTIME,
    group=WHAT,
    help="A runtime (`crossload runtimes` lists them), or a pattern ('tensorflow-java@*'); repeatable, or separated by commas. "
    "Default: the usual ones.",
)
artifacts = option(
    "--artifact", "-a", "artifacts", multiple=True, metavar="ID", group=WHAT, help="Only this artifact of the bundle; repeatable."
)
artifact = option("--artifact", "-a", metavar="ID", group=WHAT, help="An artifact of a bundle, by its id.")
tolerance = option(
    "--tolerance",
    multiple=True,
    metavar="NAME:rtol=1e-4,atol=1e-5",
    group=CLOSE,
    help="The tolerance of a datatype (float32) or of an output; repeatable. The report shows a raised tolerance.",
)
accept_unproved = option(
    "--accept-unproved",
    is_flag=True,
    group=CLOSE,
    help="Accept a signature that its answers do not prove: they do not repeat, or fewer than half of the requests were answered.",
)
limits = stacked(
    option(
        "--time-limit",
        multiple=True,
        metavar="PHASE=SECONDS",
        group=LIMITS,
        help="The limit for start (120), load (120) or run (60); repeatable. A slower worker is killed.",
    ),
    option(
        "--memory-limit",
        metavar="SIZE",
        group=LIMITS,
        help="The memory a worker may use, e.g. 4G; a worker above it is killed.",
    ),
)
requests = stacked(
    option(
        "--count",
        type=click.IntRange(1, 1000),
        default=8,
        show_default=True,
        group=REQUESTS,
        help="How many requests to generate per signature.",
    ),
    option("--seed", type=click.IntRange(0), default=0, show_default=True, group=REQUESTS, help="The seed of the random requests."),
    option(
        "--input-file",
        "npz",
        multiple=True,
        type=_FILE,
        metavar="FILE.npz",
        group=REQUESTS,
        help="Your own inputs by name, one vector per file; repeatable.",
    ),
    option(
        "--shape",
        "shapes",
        multiple=True,
        metavar="NAME=1,224,224,3",
        group=REQUESTS,
        help="The shape of an input that the model leaves open (-1: batch); repeatable.",
    ),
)
one_request = stacked(
    option(
        "--input-file",
        "npz",
        type=_FILE,
        metavar="FILE.npz",
        group=REQUESTS,
        help="Your own inputs by name; default: the first recorded request, or a random one of one row.",
    ),
    option(
        "--shape",
        "shapes",
        multiple=True,
        metavar="NAME=8,224,224,3",
        group=REQUESTS,
        help="The shape of an input, its batch included; repeatable.",
    ),
)
quality = stacked(
    option(
        "--data",
        type=click.Path(path_type=Path, exists=True),
        metavar="FILE.npz|FOLDER",
        group=CLOSE,
        help="Quantised: rows of inputs by name, on which it is compared with the float model (default: the representative inputs).",
    ),
    option("--labels", metavar="NAME", group=CLOSE, help="Quantised: the array in --data that has the class of each row."),
    option(
        "--bound",
        "bounds",
        multiple=True,
        metavar="NAME=NUMBER",
        group=CLOSE,
        help="Quantised: what it must keep: decisions (0.98), accuracy_drop (0.01), sqnr (10), cosine (0.95); repeatable.",
    ),
)
tensors = stacked(
    option(
        "--input-tensor",
        "input_tensors",
        multiple=True,
        metavar="[NAME=]TENSOR",
        group=WHAT,
        help="A graph's input, as OPERATION or OPERATION:INDEX, with a name for it; repeatable. Default: the inputs that the outputs need. "
        "Of a .tflite: a tensor's name or number.",
    ),
    option(
        "--output-tensor",
        "output_tensors",
        multiple=True,
        metavar="[NAME=]TENSOR",
        group=WHAT,
        help="A graph's output, likewise; repeatable. Default: the likely ones (`crossload show` ranks them).",
    ),
)
pins = option(
    "--pin", "pins", multiple=True, metavar="NAME=VALUE", group=WHAT, help="Make an input of a graph a constant (keep_prob=1); repeatable."
)
loader = option(
    "--loader",
    type=click.Choice(["function", "session", "keras"]),
    group=LOADING,
    help=(
        "Load a SavedModel as Python users do, in `tensorflow+python`: with tf.saved_model.load, in a session, or with Keras 3's "
        "TFSMLayer. Default there: tf.saved_model.load, and where that fails a session."
    ),
)
arena = option(
    "--arena",
    metavar="SIZE",
    group=LOADING,
    help="tflite-micro: the bytes of its arena, such as 20000 or 64K, as on your device. Default: more than any model needs.",
)
keras = stacked(
    option("--custom-objects", type=_FILE, metavar="FILE.py", group=LOADING, help="Keras files: the file with the model's own classes."),
    option(
        "--allow-code",
        is_flag=True,
        group=LOADING,
        help="Keras files: load the code of Lambda layers. That code can do anything: only for files you trust.",
    ),
)
op_libraries = option(
    "--op-library",
    "op_libraries",
    multiple=True,
    type=_FILE,
    metavar="FILE.so",
    group=LOADING,
    help="TensorFlow and its Java: load the custom ops of this library first; repeatable. It can do anything: only for files you trust.",
)
load_with = option(
    "--load-with",
    default="tensorflow",
    show_default=True,
    metavar=RUNTIME,
    group=LOADING,
    help="The TensorFlow that loads the source.",
)


def load_options(given: dict[str, Any]) -> dict[str, Any]:
    """The options of `keras`, `loader`, `arena` and `op_libraries` in the form that ModelSource takes; raises CrossloadError."""
    named = {
        "loader": given.get("loader"),
        "arena_bytes": size("--arena", given.get("arena")),
        "custom_objects": given["custom_objects"] and str(given["custom_objects"].resolve()),
        "allow_code": given["allow_code"],
        "op_libraries": [str(library.resolve()) for library in given.get("op_libraries") or ()],
    }
    return {k: v for k, v in named.items() if v}


def to_pinned(pins: tuple[str, ...]) -> dict[str, Any]:
    """By input, what gives the value of `--pin NAME=VALUE` once the input's TensorSpec is known."""
    from crossload.cli import expressions

    found = {}
    for text in pins:
        name, equals, value = text.partition("=")
        if not equals:
            raise CrossloadError(f"--pin {text!r}: write NAME=VALUE")
        found[name] = partial(expressions.value, value)
    return found


def to_limits(given: dict[str, Any]) -> Limits:
    """The limits of `limits`' options; raises CrossloadError."""
    from crossload.runtimes.supervisor import Limits

    seconds = {}
    for text in given["time_limit"]:
        phase, _, number = text.partition("=")
        try:
            seconds[phase] = float(number)
        except ValueError:
            seconds[phase] = 0.0
        if phase not in ("start", "load", "run") or not 0 < seconds[phase] < float("inf"):
            raise CrossloadError(f"--time-limit {text!r}: write start, load or run, then =SECONDS")
    return Limits(**seconds, memory=size("--memory-limit", given["memory_limit"]))


def to_requests(given: dict[str, Any]) -> Requests:
    """The requests of `requests`' options; raises CrossloadError, also for a file that cannot be read."""
    from crossload.inputs.requests import Requests

    found = Requests(given["count"], given["seed"], _shapes(given["shapes"]), tuple(given["npz"]))
    found.own()  # fails on an unreadable file before any work starts
    return found


def to_one_request(given: dict[str, Any]) -> Requests:
    """The request of `one_request`'s options; raises CrossloadError, also for a file that cannot be read."""
    from crossload.inputs.requests import Requests

    found = Requests(1, shapes=_shapes(given["shapes"]), inputs=(given["npz"],) if given["npz"] else ())
    found.own()
    return found


def _shapes(texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
    parsed = {}
    for text in texts:
        match = re.fullmatch(r"(.+)=(-?\d+(?:,-?\d+)*)?", text, re.DOTALL)
        if not match or any(int(d) < -1 for d in (match[2] or "").split(",") if d):
            raise CrossloadError(f"--shape {text!r}: write NAME=1,224,224,3 (-1 for the batch)")
        parsed[match[1]] = tuple(int(d) for d in (match[2] or "").split(",") if d)
    return parsed


def to_quality(given: dict[str, Any]) -> QualityTerms:
    """The terms of `quality`'s options; raises CrossloadError."""
    from crossload.compare.quality import Bounds
    from crossload.verbs.verify.quality import QualityTerms

    return QualityTerms(given["data"], given["labels"], Bounds.parse(given["bounds"]))


def show_quality(found: Sequence[Quality], bounds: Bounds) -> None:
    """Print the table of a quantised artifact."""
    from crossload.compare import quality
    from crossload.support.text import printable

    click.echo("against the float model:")
    for line in (*quality.lines(found), bounds.said()):
        click.echo(f"  {printable(line)}")


def output() -> Console:
    """Standard output, wide enough for a table where it is no terminal."""
    from rich.console import Console

    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=160)


def shown(console: Console) -> Callable[[str], None]:
    """What shows the progress of long work on a console."""
    from crossload.report.matrix import safe

    return lambda text: console.print(f"[dim]{safe(text)}[/]")


def noise(share: float) -> str:
    """How steady the machine was while something was measured, in a sentence."""
    import os

    return (
        f"the machine's noise: a fixed computation took {100 * share:.0f} % longer than its median in the slowest tenth "
        f"({os.cpu_count()} processors)"
    )


def to_tags(text: str | None) -> tuple[str, ...] | None:
    """The tag set of `--tags A,B`; the empty text is the empty tag set."""
    return None if text is None else listed(text) or ()


def size(option: str, text: str | None) -> int | None:
    """The bytes of a size such as 64K, the value of this option; K, M and G are powers of 1024. Raises CrossloadError."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMG]?)i?B?", text)
    if not match or float(match[1]) == 0:
        raise CrossloadError(f"{option} {text!r}: write a size such as 64K, 500M or 4G")
    return int(float(match[1]) * _UNITS[match[2]])
