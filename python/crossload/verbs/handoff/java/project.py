"""The Maven or Gradle project of a bundle: a typed client, a test over all vectors, a main, a README, and all they need in one folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossload import __version__
from crossload.contract.manifest import FILE_NAME, Artifact, Manifest
from crossload.errors import CrossloadError
from crossload.runtimes.registry import WORKERS
from crossload.support import files
from crossload.verbs import destinations
from crossload.verbs.destinations import only_writer
from crossload.verbs.handoff import carried_bundle
from crossload.verbs.handoff.handed import Handoff
from crossload.verbs.handoff.java import examples, jars, java_releases, names, records
from crossload.verbs.handoff.java.jars import Library, library
from crossload.verbs.handoff.java.layout import Call, chained, conjunction, laid_out
from crossload.verbs.handoff.naming import templates

if TYPE_CHECKING:
    from jinja2 import Environment

# How Maven knows a platform, in JavaCPP's words.
_SYSTEMS = {
    "linux-arm64": (("name", "linux"), ("arch", "aarch64")),
    "macosx-arm64": (("family", "mac"), ("arch", "aarch64")),
    "macosx-x86_64": (("family", "mac"), ("arch", "x86_64")),
    "windows-x86_64": (("family", "windows"), ("arch", "amd64")),
}
# By the tool that builds the project: the templates of its build files, and where they go.
_BUILDS = {
    "maven": (("pom.xml", "pom.xml"), ("client.pom.xml", "client/pom.xml"), ("jvm.config", ".mvn/jvm.config")),
    "gradle": (("settings.gradle.kts", "settings.gradle.kts"), ("client.build.gradle.kts", "client/build.gradle.kts")),
}
_TESTS = {"maven": "mvn -f {} test", "gradle": "gradle -p {} test"}
_UNJUDGED = "without recorded answers: its test only loads the model, and a machine that answers wrongly goes unnoticed there"


def write(
    bundle: str | Path,
    destination: str | Path,
    *,
    release: str = java_releases.NEWEST,
    package: str | None = None,
    artifact: str | None = None,
    overwrite: bool = False,
    without_vectors: bool = False,
    build: str = "maven",
) -> Handoff:
    """Write a Maven or Gradle project, as `handoff` describes it (verbs.handoff.handoff)."""
    if build not in _BUILDS:
        raise CrossloadError(f"handoff writes no project for the build tool {build!r}; --build takes: {', '.join(_BUILDS)}")
    chosen_release = java_releases.find(release)
    given = names.checked_package(package) if package else None
    source, there = carried_bundle.opened(Path(bundle)), Path(destination)
    choice = carried_bundle.chosen(source, chosen_release.runtime, artifact)
    manifest, handed = carried_bundle.reduced(source.manifest, choice), choice.artifact
    # Recorded strings tell text from bytes, also in a project that does not get them.
    recorded = {key: source.vectors(key) for key in manifest.signatures}
    if without_vectors:
        manifest = carried_bundle.without_vectors(source, manifest)
    libraries = [library(jar) for jar in _jars(chosen_release, manifest)]
    model = names.types([manifest.model.name])[manifest.model.name]
    parsed = examples.of_signatures(source, handed, manifest.signatures, model)
    methods = records.methods(manifest.signatures, recorded, parsed)
    package = given or names.package_of(manifest.model.name)
    context = _context(manifest, handed, chosen_release, package, f"{model}Client", methods, libraries) | {"build": build}
    with only_writer(there, "handoff"):
        destinations.check(there, "handoff", _is_handoff, overwrite=overwrite)
        with files.folder_written_whole(there) as folder:
            carried_bundle.write(source, manifest, folder / "model")
            for jar in libraries:
                jars.write(jar, folder / "lib")
            _render(folder, context, package.replace(".", "/"))
    vectors = sum(v.count for v in manifest.vectors)
    client, engine_name, test = f"{package}.{model}Client", f"TensorFlow Java {chosen_release.version}", _TESTS[build].format(there)
    notes = () if vectors else (_UNJUDGED,)
    return Handoff(there, client, engine_name, handed, len(methods), vectors, test, choice.left_out, notes)


def _jars(release: java_releases.Release, manifest: Manifest) -> list[Path]:
    """The library over this release and, where there are vectors, the JUnit extension that judges them."""
    return [release.jar.jar, *([WORKERS / "java" / "crossload-junit.jar"] if manifest.vectors else [])]


def _context(
    manifest: Manifest,
    artifact: Artifact,
    release: java_releases.Release,
    package: str,
    client: str,
    methods: list[records.Method],
    libraries: list[Library],
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
        "test": f"{client.removesuffix('Client')}{'ConformanceTest' if manifest.vectors else 'LoadsTest'}",
        "methods": methods,
        "row_kinds": records.row_kinds(methods),
        "examples": list({c.example.type: c.example for m in methods for c in m.inputs if c.example}.values()),
        "libraries": libraries,
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
    source, judged = f"client/src/main/java/{package}", bool(context["manifest"].vectors)
    for template, target in (
        *_BUILDS[context["build"]],
        ("README.md", "README.md"),
        ("gitignore", ".gitignore"),
        ("gitattributes", ".gitattributes"),
        ("Client.java", f"{source}/{context['client']}.java"),
        ("Values.java", f"{source}/Values.java"),
        *([("Rows.java", f"{source}/Rows.java")] if context["row_kinds"] else []),
        ("Main.java" if judged else "DescribingMain.java", f"{source}/Main.java"),
        ("ConformanceTest.java" if judged else "LoadsTest.java", f"client/src/test/java/{package}/{context['test']}.java"),
    ):
        files.write_text(folder / target, environment.get_template(f"{template}.j2").render(context))
    for example in context["examples"]:
        text = environment.get_template("Example.java.j2").render(context, example=example)
        files.write_text(folder / source / f"{example.type}.java", text)
    if context["examples"]:
        files.write_text(folder / source / "Features.java", environment.get_template("Features.java.j2").render(context))


def _environment() -> Environment:
    environment = templates(records.TEMPLATES, {"javadoc": names.javadoc, "literal": names.literal, "comment": names.in_xml_comment})
    environment.filters["of"] = lambda component, tensors: component.of(tensors)
    environment.filters["lines"] = lambda member: str(member).strip("\n")
    environment.globals.update(
        call=lambda head, args, tail=")": Call(head, tuple(args), tail),
        laid_out=laid_out,
        chained=chained,
        conjunction=conjunction,
        named=records.named,
    )
    return environment


def _is_handoff(there: Path) -> bool:
    built = any((there / target).is_file() for build in _BUILDS.values() for _, target in build)
    return built and (there / "model" / FILE_NAME).is_file()
