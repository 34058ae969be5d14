"""The project of a bundle for microcontrollers: the model, its operators and its recorded vectors as arrays, and a judge over them."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from crossload.compare.tolerance import Tolerances
from crossload.contract.bundle import Bundle
from crossload.contract.manifest import FILE_NAME, Artifact
from crossload.contract.signatures import Signature
from crossload.contract.vectors import Vector
from crossload.errors import CrossloadError, EnvironmentProblem
from crossload.runtimes import registry
from crossload.runtimes.registry import Runtime
from crossload.support import files
from crossload.verbs import destinations
from crossload.verbs.destinations import only_writer
from crossload.verbs.handoff import carried_bundle
from crossload.verbs.handoff.c import client, names, recorded
from crossload.verbs.handoff.c import project as c_project
from crossload.verbs.handoff.handed import Handoff
from crossload.verbs.handoff.tflm import model as micro_models
from crossload.verbs.handoff.tflm.model import Micro

_ROOM = Path(__file__).parent
_SHARED = ("answers.c", "answers.h", "judge.c", "judge.h", "tensors.c", "tensors.h", "vectors.h")
# The arena beyond what was measured: kernels written for a processor ask for scratch memory of their own, and releases plan differently.
_MARGIN = 0.25
_ALIGNED = 16
_BYTES_A_LINE = 20


@dataclass(frozen=True)
class Arena:
    """The arena's bytes, and the smallest that was measured in `runtime`; None: the size was given."""

    size: int
    measured: int | None = None
    runtime: str = ""


@dataclass(frozen=True)
class _Recorded:
    """The vectors to ask, by signature, their bytes, their tables by function, and the number of those in other shapes."""

    asked: dict[str, list[Vector]]
    data: bytes
    tables: dict[str, list[recorded.Table]]
    others: int


def write(
    bundle: str | Path,
    destination: str | Path,
    *,
    artifact: str | None = None,
    overwrite: bool = False,
    arena: int | None = None,
    flash: int | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Handoff:
    """Write a project for TensorFlow Lite Micro, as `handoff` describes it (verbs.handoff.handoff).

    Without `arena` it is measured in the runtime `tflite-micro`, and a quarter is added.
    """
    source, there = carried_bundle.opened(Path(bundle)), Path(destination)
    runtime = registry.one("tflite-micro")
    choice = carried_bundle.chosen(source, runtime, artifact)
    manifest, handed = carried_bundle.reduced(source.manifest, choice), choice.artifact
    micro = micro_models.read(source.path(handed), handed, manifest.signatures)
    prefix = names.prefix(manifest.model.name, [*_SHARED, *(f.name for room in ("sources", "templates") for f in (_ROOM / room).iterdir())])
    functions = client.functions(handed, micro.signatures, {name: _same(s) for name, s in micro.signatures.items()}, prefix)
    vectors = _recorded(source, handed, micro, functions, Tolerances(dict(manifest.tolerance)))
    _check_flash(source.path(handed), micro, len(vectors.data), flash)
    with only_writer(there, "handoff"):
        destinations.check(there, "handoff", _is_handoff, overwrite=overwrite)
        room = Arena(arena) if arena else _measured(source, handed, micro, vectors, runtime, progress)
        context = {
            **c_project.context_of(manifest, prefix, functions),
            "micro": micro,
            "arena": room,
            "vectors": vectors,
            "answer_bytes": max(sum(a.nbytes for a in v.outputs.values()) for asked in vectors.asked.values() for v in asked),
            "most_tensors": max(max(len(f.inputs), len(f.outputs)) for f in functions),
            "data": _lines(micro.data),
        }
        with files.folder_written_whole(there) as folder:
            carried_bundle.write(source, manifest, folder / "model")
            _write_sources(folder)
            files.write_text(folder / "src" / "vectors.c", c_project.tables(functions, vectors.tables, manifest))
            array = f"const unsigned char crossload_recorded[] = {{\n{_lines(vectors.data or bytes(1))}}};\n"
            files.write_text(folder / "src" / "recorded.c", f'#include "recorded.h"\n\n{array}')
            c_project.write_client(folder / "src", context)
            templates = c_project.environment(_ROOM)
            for name, target in (("config.h", "src/config.h"), ("model.cpp", "src/model.cpp"), ("README.md", "README.md")):
                files.write_text(folder / target, templates.get_template(f"{name}.j2").render(context))
            files.write_text(folder / ".gitignore", "build/\n")
    count = sum(map(len, vectors.asked.values()))
    test, notes = f"make -C {there} TFLM=/path/to/the/source/tree/of/TensorFlow/Lite/Micro", _notes(micro, room, vectors)
    return Handoff(there, f"src/{prefix}.h", "TensorFlow Lite Micro", handed, len(functions), count, test, choice.left_out, notes)


def _recorded(source: Bundle, artifact: Artifact, micro: Micro, functions: Sequence[client.Function], tolerances: Tolerances) -> _Recorded:
    """Raises CrossloadError for a signature without a vector in the file's shapes."""
    every = {f.signature: recorded.complete(f, source.vectors(f.signature)) for f in functions}
    path = source.path(artifact)
    asked = {name: micro_models.answerable(path, name, micro.signatures[name], vectors) for name, vectors in every.items()}
    stream = io.BytesIO()
    tables = {f.name: recorded.written(stream, f, asked[f.signature], tolerances, alignment=1) for f in functions}
    return _Recorded(asked, stream.getvalue(), tables, sum(map(len, every.values())) - sum(map(len, asked.values())))


def _measured(
    source: Bundle, artifact: Artifact, micro: Micro, vectors: _Recorded, runtime: Runtime, progress: Callable[[str], None]
) -> Arena:
    request = next(iter(vectors.asked.values()))[0]
    try:
        found = micro_models.smallest_arena(source, artifact, micro.signatures, request, runtime, progress)
    except EnvironmentProblem as error:
        raise EnvironmentProblem(f"{error}; or state the size of the arena, which would be measured there: --arena BYTES") from error
    return Arena(-(-int(found * (1 + _MARGIN)) // _ALIGNED) * _ALIGNED, found, runtime.title)


def _notes(micro: Micro, arena: Arena, vectors: _Recorded) -> tuple[str, ...]:
    found = f"measured in {arena.runtime}: {arena.measured:,}, and a quarter" if arena.measured is not None else "as given"
    sizes = f"flash: the model {len(micro.data):,} bytes, its vectors {len(vectors.data):,}; arena: {arena.size:,} bytes ({found})"
    others = [f"left out: {vectors.others} recorded requests in other shapes than those that the file was written with"]
    return (sizes, f"operators: {', '.join(o.op for o in micro.operators)}", *(others if vectors.others else []))


def _same(signature: Signature) -> dict[str, str]:
    """TensorFlow Lite Micro knows positions; the project's names are the manifest's."""
    return {t.name: t.name for t in (*signature.inputs, *signature.outputs)}


def _check_flash(path: Path, micro: Micro, vectors: int, flash: int | None) -> None:
    """Raises CrossloadError for a model, or a model with its vectors, that does not fit; the code needs flash beside them."""
    model = len(micro.data)
    if flash is None or model + vectors <= flash:
        return
    if model > flash:
        step = f"crossload profile {path} --runtime tflite-micro shows the bytes of each layer"
        if 2 * micro.float_bytes > model:
            step = f"most of it are float32 weights; quantise them: crossload convert MODEL {path.stem}_int8.tflite --quantize int8"
        raise CrossloadError(f"{path} has {model:,} bytes, more than the flash's {flash:,}; {step}")
    raise CrossloadError(
        f"{path} has {model:,} bytes and its recorded vectors {vectors:,}, together more than the flash's {flash:,}; record fewer: "
        f"crossload export {path} -o BUNDLE --count 1"
    )


def _write_sources(folder: Path) -> None:
    for name in _SHARED:
        files.write_text(folder / "src" / name, (_ROOM.parent / "c" / "sources" / name).read_text("utf-8"))
    for file in sorted((_ROOM / "sources").iterdir()):
        files.write_text(folder / "src" / file.name, file.read_text("utf-8"))
    for file in sorted((_ROOM / "host").iterdir()):
        at = folder / "host" if file.suffix == ".c" else folder
        files.write_text(at / file.name, file.read_text("utf-8"))


def _lines(data: bytes) -> str:
    rows = (data[at : at + _BYTES_A_LINE] for at in range(0, len(data), _BYTES_A_LINE))
    return "".join(f"    {','.join(f'0x{b:02x}' for b in row)},\n" for row in rows)


def _is_handoff(there: Path) -> bool:
    return (there / "src" / "recorded.c").is_file() and (there / "model" / FILE_NAME).is_file()
