"""The C project of a bundle: a typed client over LiteRT's C API, a program that judges all vectors, and what builds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossload import __version__
from crossload.compare.tolerance import Tolerances
from crossload.contract.bundle import Bundle
from crossload.contract.manifest import FILE_NAME, Manifest
from crossload.errors import CrossloadError
from crossload.runtimes import registry
from crossload.support import files
from crossload.support.text import printable
from crossload.verbs import destinations
from crossload.verbs.destinations import only_writer
from crossload.verbs.handoff import carried_bundle
from crossload.verbs.handoff.c import client, names, recorded
from crossload.verbs.handoff.handed import Handoff
from crossload.verbs.handoff.naming import templates

if TYPE_CHECKING:
    from jinja2 import Environment

_ROOM = Path(__file__).parent


def write(bundle: str | Path, destination: str | Path, *, artifact: str | None = None, overwrite: bool = False) -> Handoff:
    """Write a C project, as `handoff` describes it (verbs.handoff.handoff)."""
    source, there = carried_bundle.opened(Path(bundle)), Path(destination)
    choice = carried_bundle.chosen(source, registry.one("litert"), artifact)
    manifest, handed = carried_bundle.reduced(source.manifest, choice), choice.artifact
    prefix = names.prefix(manifest.model.name, [f.name for f in (_ROOM / "sources").iterdir()])
    _refuse_variables(source.path(handed))
    in_file = carried_bundle.file_names(source, handed, choice.signatures)
    functions = client.functions(handed, manifest.signatures, in_file, prefix)
    context = context_of(manifest, prefix, functions)
    with only_writer(there, "handoff"):
        destinations.check(there, "handoff", _is_handoff, overwrite=overwrite)
        with files.folder_written_whole(there) as folder:
            carried_bundle.write(source, manifest, folder / "model")
            for file in sorted((_ROOM / "sources").iterdir()):
                at = folder if file.name in ("Makefile", "CMakeLists.txt") else folder / "src"
                files.write_text(at / file.name, file.read_text("utf-8"))
            rows = record(source, functions, Tolerances(dict(manifest.tolerance)), folder / "vectors.bin")
            files.write_text(folder / "src" / "vectors.c", tables(functions, rows, manifest))
            write_client(folder / "src", context)
            files.write_text(folder / "README.md", environment().get_template("README.md.j2").render(context))
            files.write_text(folder / ".gitignore", "build/\n")
    vectors = sum(map(len, rows.values()))
    return Handoff(there, f"src/{prefix}.h", "LiteRT's C API", handed, len(functions), vectors, f"make -C {there}", choice.left_out)


def context_of(manifest: Manifest, prefix: str, functions: Sequence[client.Function]) -> dict[str, Any]:
    """What the templates of the typed client take, of a manifest with the one artifact that is handed over."""
    return {
        "crossload": __version__,
        "manifest": manifest,
        "model": manifest.model,
        "artifact": manifest.artifacts[0],
        "prefix": prefix,
        "functions": functions,
    }


def tables(
    functions: Sequence[client.Function], rows: Mapping[str, Sequence[recorded.Table]], manifest: Manifest, folder: str = "model/"
) -> str:
    """The source of vectors.c: the rows of each function, and what identifies the one artifact and the vectors files of a manifest, which
    lies in `folder`."""
    (artifact,), digests = manifest.artifacts, {v.signature: v.sha256 for v in manifest.vectors}
    template = environment().get_template("vectors.c.j2")
    return template.render(functions=functions, tables=rows, artifact=artifact, digests=digests, file=f"{folder}{artifact.path}")


def _refuse_variables(path: Path) -> None:
    """Raises CrossloadError for a file with variable tensors, which LiteRtCreateModelFromFile of 2.3.0 refuses (status 5)."""
    from crossload.artifacts.tflite import tflite_file

    if variables := tflite_file.read(path, ops=False).variables:
        state = ", ".join(map(printable, variables[:4]))
        raise CrossloadError(
            f"{path} keeps state in variable tensors ({state}), and LiteRT's C API does not load such a file; make the state "
            "an input and an output of the model, then export it again"
        )


def record(source: Bundle, functions: Sequence[client.Function], tolerances: Tolerances, target: Path) -> dict[str, list[recorded.Table]]:
    """Write vectors.bin; returns the tables of each function."""
    with target.open("wb") as stream:
        return {f.name: recorded.written(stream, f, recorded.complete(f, source.vectors(f.signature)), tolerances) for f in functions}


def write_client(folder: Path, context: Mapping[str, Any]) -> None:
    """Write the typed client, PREFIX.h and PREFIX.c; the context is that of `context_of`."""
    for suffix in ("h", "c"):
        text = environment().get_template(f"client.{suffix}.j2").render(context)
        files.write_text(folder / f"{context['prefix']}.{suffix}", text)


def environment(room: Path = _ROOM) -> Environment:
    """The templates of a room, with filters for C literals, for comments and for Markdown."""
    return templates(room / "templates", {"literal": names.literal, "comment": names.comment})


def _is_handoff(there: Path) -> bool:
    return (there / "vectors.bin").is_file() and (there / "model" / FILE_NAME).is_file()
