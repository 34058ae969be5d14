"""`crossload run`: one artifact, one runtime, one call of each chosen signature."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crossload.cli import options
from crossload.cli.framework import REQUESTS, WHAT, Command, option
from crossload.support.text import printable

if TYPE_CHECKING:
    import numpy as np

    from crossload.contract.signatures import Signature
    from crossload.model import Model, SignatureFunction


@click.command(
    name="run",
    cls=Command,
    examples=[
        "run model.tflite --input 'x=[[1, 2, 3, 4]]'",
        "run digits/ --runtime tensorflow-java --input pixels=image.npy",
        "run frozen.pb --output-tensor conv2d/Relu --input 'serving_default_pixels=zeros([1,8,8,1])'",
        """run census/ --input-examples 'examples=[{"age": [30], "name": ["x"]}]'""",
    ],
    exit_status="0 the runtime answered, 1 it did not, 2 input that cannot be used.",
    old={"inputs": "input-file", "outputs": "output-file"},
)
@click.argument("path", type=click.Path(path_type=Path))
@option(
    "--runtime",
    "-r",
    metavar=options.RUNTIME,
    group=WHAT,
    help="The runtime (`crossload runtimes` lists them); default: the first one that takes the format.",
)
@options.artifact
@option(
    "--signature",
    "-s",
    "signatures",
    multiple=True,
    metavar="NAME",
    group=WHAT,
    help="The signature; required if the artifact has several; repeatable.",
)
@options.tags
@options.tensors
@option(
    "--input",
    "-i",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    group=REQUESTS,
    help=(
        "A .npy file, FILE.npz[KEY], a literal ([[1, 2]]), or zeros ones full arange linspace random normal; for strings also @FILE "
        "(its bytes, or a text file's lines) and base64:…; a sparse or ragged tensor by its parts, which `crossload show` names; "
        "repeatable."
    ),
)
@option(
    "--input-examples",
    "example_texts",
    multiple=True,
    metavar="NAME=[{...}, …]",
    group=REQUESTS,
    help="tf.Examples for a string input: a list of dicts from feature to values, JSON or Python, or @FILE.json; repeatable.",
)
@option(
    "--input-file",
    "npz",
    type=click.Path(path_type=Path, exists=True),
    metavar="FILE.npz",
    group=REQUESTS,
    help="A file of inputs by name.",
)
@option(
    "--real-values",
    is_flag=True,
    group=REQUESTS,
    help="Quantised .tflite: take and print real values; they are quantised and de-quantised with each tensor's scale and zero point.",
)
@options.loader
@options.arena
@options.keras
@options.op_libraries
@options.limits
@option("--output-file", "target", type=click.Path(path_type=Path), metavar="FILE.npz", help="Write the outputs instead of printing them.")
@option("--overwrite", is_flag=True, help="Replace the file of --output-file if it exists.")
def command(
    path: Path,
    runtime: str | None,
    signatures: tuple[str, ...],
    tags: str | None,
    artifact: str | None,
    given: tuple[str, ...],
    example_texts: tuple[str, ...],
    npz: Path | None,
    target: Path | None,
    overwrite: bool,
    real_values: bool,
    input_tensors: tuple[str, ...],
    output_tensors: tuple[str, ...],
    **given_options: Any,
) -> None:
    """Run PATH (a bundle or an artifact) once and print or write the outputs.

    With several signatures, each takes the inputs that it declares, and its outputs are named SIGNATURE/OUTPUT.
    """
    from crossload.errors import CrossloadError
    from crossload.model import choose

    if target and target.is_file() and not overwrite:
        raise CrossloadError(f"{target} exists; --overwrite replaces it")
    chosen = choose(
        path,
        runtime,
        tags=options.to_tags(tags),
        artifact=artifact,
        inputs=input_tensors,
        outputs=output_tensors,
        options=options.load_options(given_options),
        limits=options.to_limits(given_options),
    )
    with chosen as model:
        functions = [model.signature(name) for name in dict.fromkeys(signatures)] or [model.signature()]
        if not signatures and (others := [name for name in model.signatures if name != functions[0].name]):
            click.echo(f"note: runs {functions[0].name}; {others[0]} has the same inputs and outputs", err=True)
        model.begin()
        arrays = _arrays(npz)
        there = dict.fromkeys(t.name for f in functions for t in f.signature.inputs)
        texts = {spelling: _by_name(spelling, own, there) for spelling, own in (("--input", given), ("--input-examples", example_texts))}
        with _explained(model, functions[0].name):
            for name in (*arrays, *texts["--input"], *texts["--input-examples"]):
                if name not in there:
                    raise CrossloadError(f"there is no input {name!r}; the signature takes: {', '.join(there) or 'no inputs'}")
        if twice := texts["--input"].keys() & texts["--input-examples"].keys():
            raise CrossloadError(f"the input {min(twice)!r} is given by --input and by --input-examples; leave one out")
        # Parse all inputs before waiting for the worker, which may take seconds.
        asked = []
        for f in functions:
            with _explained(model, f.name):
                asked.append((f, _inputs(f, arrays, texts["--input"], texts["--input-examples"], model, real_values=real_values)))
        outputs: dict[str, np.ndarray] = {}
        notes: list[str | None] = []
        for function, inputs in asked:
            with _explained(model, function.name):
                answer = function.answer(inputs)
            prefix = f"{function.name}/" if len(functions) > 1 else ""
            answered = _real(function.signature, answer.outputs) if real_values else answer.outputs
            outputs |= {f"{prefix}{name}": array for name, array in answered.items()}
            notes += [model.note, answer.note]
        if runtime is None and model.artifact.format == "tflite":
            click.echo(f"run in {model.runtime.title}", err=True)
        for note in dict.fromkeys(n for n in notes if n):
            click.echo(f"note: {printable(note)}", err=True)
        if target:
            _write(target, outputs)
        else:
            _print(outputs)
        if death := model.close():
            click.echo(f"note: the worker {death}; its answer is kept", err=True)


@contextmanager
def _explained(model: Model, signature: str) -> Iterator[None]:
    """Add to the refusal of an input what the signature declares otherwise than its graph takes it, and which inputs are parts of one."""
    from crossload.errors import CrossloadError, RunFailed

    try:
        yield
    except RunFailed:
        raise
    except CrossloadError as error:
        declared = model.disagreement(signature)
        more = [*([declared] if declared else ()), *(c.sentence(model.bound(signature)) for c in model.composites(signature))]
        if more:
            raise CrossloadError("; ".join([str(error), *more])) from error
        raise


def _arrays(npz: Path | None) -> Mapping[str, np.ndarray]:
    from crossload.inputs.npz import from_npz

    return from_npz(npz) if npz else {}


def _by_name(spelling: str, texts: tuple[str, ...], there: Iterable[str]) -> dict[str, str]:
    """NAME=VALUE as a mapping."""
    from crossload.errors import CrossloadError

    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise CrossloadError(f"{spelling} {text!r}: write NAME=VALUE; the inputs are: {', '.join(there)}")
        found[name] = value
    return found


def _inputs(
    function: SignatureFunction,
    arrays: Mapping[str, np.ndarray],
    values: Mapping[str, str],
    examples: Mapping[str, str],
    model: Model,
    *,
    real_values: bool,
) -> dict[str, np.ndarray]:
    """The values given for this signature's inputs, as the model takes them; raises CrossloadError."""
    from crossload.cli import expressions

    inputs = {}
    features = model.features(function.name) if examples else {}
    for given in function.signature.inputs:
        spec = replace(given, datatype="FP64") if real_values and given.quantization is not None else given
        if spec.name in arrays:
            inputs[spec.name] = arrays[spec.name]
        if spec.name in values:
            inputs[spec.name] = expressions.value(values[spec.name], spec)
        if spec.name in examples:
            inputs[spec.name] = expressions.examples(examples[spec.name], spec, features.get(spec.name, ()))
    if real_values:
        from crossload.inputs import quantization

        return quantization.inputs(function.signature, inputs)
    return inputs


def _real(signature: Signature, outputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    from crossload.inputs import quantization

    return quantization.outputs(signature, outputs)


def _write(target: Path, outputs: dict[str, np.ndarray]) -> None:
    from zipfile import ZipFile

    import numpy as np

    from crossload.errors import CrossloadError
    from crossload.support import files

    plain: dict[str, np.ndarray] = {}
    for name, array in outputs.items():
        # .npz without pickle holds neither Python bytes nor ml_dtypes: write NumPy bytes, and float32, which holds every ml_dtypes value.
        own = array.dtype.isbuiltin != 1
        plain[name] = array.astype(np.bytes_) if array.dtype == object else array.astype(np.float32) if own else array
        if array.dtype == object and (plain[name] != array).any():
            raise CrossloadError(f"the output {name!r} has strings that end in NUL, which .npz would cut off; print them instead")
    # Not numpy.savez: an output may have the name of one of its arguments (`file`).
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
