"""The Maven project of a bundle: a typed client, a test over all vectors, a main, a README, and all they need in one folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossload import __version__
from crossload.contract.manifest import FILE_NAME, Artifact, Manifest
from crossload.runtimes.registry import WORKERS
from crossload.support import files
from crossload.verbs import destinations
from crossload.verbs.destinations import only_writer
from crossload.verbs.handoff import carried_bundle
from crossload.verbs.handoff.handed import Handoff
from crossload.verbs.handoff.java import java_releases, names, records
from crossload.verbs.handoff.java.jars import Library, install, library
from crossload.verbs.handoff.java.layout import Call, chained, laid_out
from crossload.verbs.handoff.naming import templates

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"
# How Maven knows a platform, in JavaCPP's words.
_SYSTEMS = {
    "linux-arm64": (("name", "linux"), ("arch", "aarch64")),
    "macosx-arm64": (("family", "mac"), ("arch", "aarch64")),
    "macosx-x86_64": (("family", "mac"), ("arch", "x86_64")),
    "windows-x86_64": (("family", "windows"), ("arch", "amd64")),
}


def write(
    bundle: str | Path,
    destination: str | Path,
    *,
    release: str = java_releases.NEWEST,
    package: str | None = None,
    artifact: str | None = None,
    overwrite: bool = False,
) -> Handoff:
    """Write a Maven project, as `handoff` describes it (verbs.handoff.handoff)."""
    chosen_release = java_releases.find(release)
    given = names.checked_package(package) if package else None
    source, there = carried_bundle.opened(Path(bundle)), Path(destination)
    choice = carried_bundle.chosen(source, chosen_release.runtime, artifact)
    manifest, handed = carried_bundle.reduced(source.manifest, choice), choice.artifact
    engine, junit = library(chosen_release.jar.jar), library(WORKERS / "java" / "crossload-junit.jar")
    methods = records.methods(manifest.signatures, {key: source.vectors(key) for key in manifest.signatures})
    model = names.types([manifest.model.name])[manifest.model.name]
    package = given or names.package_of(manifest.model.name)
    context = _context(manifest, handed, chosen_release, package, f"{model}Client", methods, engine, junit)
    with only_writer(there, "handoff"):
        destinations.check(there, "handoff", _is_handoff, overwrite=overwrite)
        with files.folder_written_whole(there) as folder:
            carried_bundle.write(source, manifest, folder / "model")
            for one in (engine, junit):
                install(one, folder / "lib")
            _render(folder, context, package.replace(".", "/"))
    vectors = sum(v.count for v in manifest.vectors)
    client, engine_name, test = f"{package}.{model}Client", f"TensorFlow Java {chosen_release.version}", f"mvn -f {there} test"
    return Handoff(there, client, engine_name, handed, len(methods), vectors, test, choice.left_out)


def _context(
    manifest: Manifest,
    artifact: Artifact,
    release: java_releases.Release,
    package: str,
    client: str,
    methods: list[records.Method],
    engine: Library,
    junit: Library,
) -> dict[str, Any]:
    profiles = [(platform, _SYSTEMS[platform]) for platform in release.platforms if platform in _SYSTEMS]
    return {
        "crossload": __version__,
        "manifest": manifest,
        "model": manifest.model,
        "artifact": artifact,
        "release": release,
        "profiles": profiles,
        "package": package,
        "project": package.rpartition(".")[2].lower(),
        "version": names.version(manifest.model.version),
        "client": client,
        "test": f"{client.removesuffix('Client')}ConformanceTest",
        "methods": methods,
        "engine": engine,
        "junit": junit,
        "used": _used(methods),
    }


def _used(methods: list[records.Method]) -> set[str]:
    """The names among those that a client imports or defines only if it needs them."""
    given = [f"{c.to_tensor}" for m in methods for c in m.inputs]
    types = [c.type for m in methods for c in (*m.inputs, *m.outputs)]
    shown = [c.shown("") for m in methods if m.first for c in m.outputs]
    code = " ".join(given + types + shown)
    return {name for name in ("Arrays", "Datatype", "List", "free") if re.search(rf"\b{name}\b", code)}


def _render(folder: Path, context: dict[str, Any], package: str) -> None:
    environment = _environment()
    for template, target in (
        ("pom.xml", "pom.xml"),
        ("README.md", "README.md"),
        ("gitignore", ".gitignore"),
        ("gitattributes", ".gitattributes"),
        ("jvm.config", ".mvn/jvm.config"),
        ("Client.java", f"src/main/java/{package}/{context['client']}.java"),
        ("Main.java", f"src/main/java/{package}/Main.java"),
        ("ConformanceTest.java", f"src/test/java/{package}/{context['test']}.java"),
    ):
        files.write_text(folder / target, environment.get_template(f"{template}.j2").render(context))


def _environment() -> Environment:
    environment = templates(_TEMPLATES, {"javadoc": names.javadoc, "literal": names.literal, "comment": names.in_xml_comment})
    environment.filters["of"] = lambda component, tensors: component.of(tensors)
    environment.globals.update(call=lambda head, args, tail=")": Call(head, tuple(args), tail), laid_out=laid_out, chained=chained)
    return environment


def _is_handoff(there: Path) -> bool:
    return (there / "pom.xml").is_file() and (there / "model" / FILE_NAME).is_file()
