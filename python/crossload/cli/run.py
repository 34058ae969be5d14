"""`crossload run`: one artifact, one runtime, one answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from crossload.cli import options
from crossload.text import printable

if TYPE_CHECKING:
    import numpy as np


@click.command(
    name="run",
    epilog=options.examples("run model.tflite --input 'x=[[1, 2, 3, 4]]'", "run digits --runtime tensorflow-java --input pixels=image.npy"),
)
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--runtime", "-r", help="The runtime (`crossload runtimes` lists them); by default the first that takes the format.")
@click.option("--signature", "-s", help="The signature; may be left out when there is only one.")
@click.option("--tags", "-t", help="The tag set of a SavedModel's MetaGraph, separated by commas.")
@click.option("--artifact", "-a", help="Which artifact of a bundle, by its id.")
@click.option(
    "--input",
    "-i",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="A .npy file, a literal ([[1, 2]]), or zeros ones full arange linspace random normal.",
)
@click.option("--inputs", "npz", type=click.Path(path_type=Path), metavar="FILE.npz", help="Named inputs in one file.")
@click.option(
    "--outputs", "target", type=click.Path(path_type=Path), metavar="FILE.npz", help="Write the outputs instead of printing them."
)
@options.limits
def command(
    path: Path,
    runtime: str | None,
    signature: str | None,
    tags: str | None,
    artifact: str | None,
    given: tuple[str, ...],
    npz: Path | None,
    target: Path | None,
    **limits: object,
) -> None:
    """Run PATH (a bundle or an artifact) once and print or write the outputs."""
    from crossload.cli import expressions
    from crossload.errors import CrossloadError
    from crossload.model import choose
    from crossload.requests import from_npz

    tag_set = None if tags is None else [t for t in tags.split(",") if t]
    with choose(path, runtime, tags=tag_set, artifact=artifact, limits=options.to_limits(limits)) as model:
        function = model.signature(signature)
        specs = {t.name: t for t in function.signature.inputs}
        inputs = from_npz(npz) if npz else {}
        for text in given:
            name, equals, value = text.partition("=")
            if not equals:
                raise CrossloadError(f"--input {text!r}: write NAME=VALUE; the inputs are: {', '.join(specs)}")
            if name not in specs:
                raise CrossloadError(f"there is no input {name!r}; the signature takes: {', '.join(specs) or 'no inputs'}")
            inputs[name] = expressions.value(value, specs[name])
        answer = function.answer(inputs)
        for note in (model.note, answer.note):
            if note:
                click.echo(f"note: {printable(note)}", err=True)
        if target:
            _write(target, answer.outputs)
        else:
            _print(answer.outputs)
        if death := model.close():
            click.echo(f"note: the worker {death}; its answer is kept", err=True)


def _write(target: Path, outputs: dict[str, np.ndarray]) -> None:
    from zipfile import ZipFile

    import numpy as np

    from crossload import files
    from crossload.errors import CrossloadError

    plain: dict[str, np.ndarray] = {}
    for name, array in outputs.items():
        # .npz without pickle holds neither Python bytes nor ml_dtypes: bytes become NumPy's, bfloat16 and float8 become float32.
        plain[name] = array.astype(np.bytes_) if array.dtype == object else array.astype(np.float32) if array.dtype.kind == "V" else array
        if array.dtype == object and (plain[name] != array).any():
            raise CrossloadError(f"the output {name!r} has strings that end in NUL, which .npz would shorten; print them instead")
    # Not numpy.savez, whose own arguments (`file`) are names that outputs may have.
    with files.written_whole(target) as partial, ZipFile(partial, "w") as archive:
        for name, array in plain.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, array, allow_pickle=False)
    click.echo(f"wrote {printable(', '.join(plain))} to {target}", err=True)


def _print(outputs: dict[str, np.ndarray]) -> None:
    import numpy as np

    from crossload.contract import datatypes

    for name, array in outputs.items():
        click.echo(f"{printable(name)}: {datatypes.for_people(datatypes.of_array(array))} {list(array.shape)}")
        click.echo(np.array2string(array, threshold=1000, max_line_width=120, separator=", "))
