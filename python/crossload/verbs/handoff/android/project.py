"""The Android project of a bundle: a library module with a typed client, and an app and a test that judge the model on the device."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossload import __version__
from crossload.contract.bundle import Bundle
from crossload.contract.datatypes import for_people
from crossload.contract.manifest import FILE_NAME, Manifest
from crossload.contract.signatures import Signature
from crossload.runtimes import registry
from crossload.support import files
from crossload.verbs import destinations
from crossload.verbs.destinations import only_writer
from crossload.verbs.handoff import carried_bundle
from crossload.verbs.handoff.android import judge, kotlin
from crossload.verbs.handoff.carried_bundle import Choice
from crossload.verbs.handoff.handed import Handoff
from crossload.verbs.handoff.java import names, records
from crossload.verbs.handoff.java.layout import Call, laid_out
from crossload.verbs.handoff.naming import templates

if TYPE_CHECKING:
    from jinja2 import Environment

_ROOM = Path(__file__).parent
_ASSETS = "model/src/main/assets/crossload"
_OWN = "java/io/crossload/android"
# The datatypes of org.tensorflow.lite.DataType, but strings, whose bytes Java's API carries only as text.
_CARRIED = ("BOOL", "FP32", "INT16", "INT32", "INT64", "INT8", "UINT8")
# What `check` calls the interpreter of the flavour tflite.
_INTERPRETER = "android@2.16.1"
# Where the files that are the same in each project go.
_SOURCES = {
    "main/*.java": f"model/src/main/{_OWN}",
    "tflite/*.java": f"model/src/tflite/{_OWN}",
    "litert/*.kt": "model/src/litert/kotlin/io/crossload/android",
    "DeviceTest.kt": "model/src/androidTest/kotlin/io/crossload/android",
    "JudgeActivity.kt": "judge/src/main/kotlin/io/crossload/android/judge",
    "build.gradle.kts": "",
    "gradle.properties": "",
}
_MANIFESTS = {"AndroidManifest.model.xml": "model", "AndroidManifest.judge.xml": "judge"}


def write(
    bundle: str | Path,
    destination: str | Path,
    *,
    package: str | None = None,
    artifact: str | None = None,
    overwrite: bool = False,
) -> Handoff:
    """Write an Android project, as `handoff` describes it (verbs.handoff.handoff)."""
    given = names.checked_package(package) if package else None
    source, there = carried_bundle.opened(Path(bundle)), Path(destination)
    choice = carried(source.manifest, carried_bundle.chosen(source, registry.one("litert"), artifact), Path(bundle))
    manifest = _in_assets(carried_bundle.reduced(source.manifest, choice))
    in_file = carried_bundle.file_names(source, choice.artifact, choice.signatures)
    signatures = {name: _without_defaults(s) for name, s in manifest.signatures.items()}
    methods = records.methods(signatures, {name: source.vectors(name) for name in signatures})
    model = names.types([manifest.model.name])[manifest.model.name]
    package = given or names.package_of(manifest.model.name)
    context = {
        "crossload": __version__,
        "manifest": manifest,
        "model": manifest.model,
        "artifact": choice.artifact,
        "package": package,
        "client": f"{model}Client",
        "kotlin": f"{model}Model",
        "methods": methods,
        "used": _used(methods),
        "predicted": carried_bundle.explained(source, choice, _INTERPRETER),
    }
    with only_writer(there, "handoff"):
        destinations.check(there, "handoff", _is_handoff, overwrite=overwrite)
        with files.folder_written_whole(there) as folder:
            _write_assets(source, manifest, choice, in_file, folder / _ASSETS)
            judge.write(folder / "model" / "libs" / "crossload-judge.jar")
            for pattern, target in _SOURCES.items():
                for file in sorted((_ROOM / "sources").glob(pattern)):
                    files.write_text(folder / target / file.name, file.read_text("utf-8"))
            for name, module in _MANIFESTS.items():
                files.write_text(folder / module / "src/main/AndroidManifest.xml", (_ROOM / "sources" / name).read_text("utf-8"))
            _render(folder, context)
    vectors = sum(v.count for v in manifest.vectors)
    test = f"gradle -p {there} :model:connectedTfliteDebugAndroidTest"
    engine = "TensorFlow Lite or LiteRT on Android"
    return Handoff(there, f"{package}.{model}Model", engine, choice.artifact, len(methods), vectors, test, choice.left_out)


def carried(manifest: Manifest, choice: Choice, path: Path) -> Choice:
    """The choice without the signatures that Android's clients cannot carry; raises CrossloadError if none is left."""
    return carried_bundle.carried(choice, "Android", lambda name: _obstacle(manifest.signatures[name]), path)


def _obstacle(signature: Signature) -> str | None:
    for t in (*signature.inputs, *signature.outputs):
        if t.datatype not in _CARRIED:
            carried = ", ".join(for_people(d) for d in _CARRIED)
            return f"{t.name!r} is {for_people(t.datatype)}, and TensorFlow Lite's Java API carries {carried}"
    return None if signature.inputs else "it has no input, and TensorFlow Lite's Java API calls no such signature"


def _without_defaults(signature: Signature) -> Signature:
    """The signature as a .tflite has it, in which no input has a default."""
    return replace(signature, inputs=tuple(replace(t, default=None) for t in signature.inputs))


def _in_assets(manifest: Manifest) -> Manifest:
    """The manifest with plain file names: Android's build leaves out assets whose names begin with a dot, and knows a model by .tflite."""
    (artifact,) = manifest.artifacts
    vectors = [v.model_copy(update={"path": f"vectors/{n}.oip"}) for n, v in enumerate(manifest.vectors)]
    return manifest.model_copy(update={"artifacts": [artifact.model_copy(update={"path": "model.tflite"})], "vectors": vectors})


def _write_assets(source: Bundle, manifest: Manifest, choice: Choice, in_file: Mapping[str, Mapping[str, str]], folder: Path) -> None:
    from crossload.artifacts.tflite import tflite_file

    carried_bundle.write(source, carried_bundle.reduced(source.manifest, choice), folder, manifest)
    signatures = {
        name: {
            "key": choice.artifact.bindings[name].key,
            "inputs": {t.name: in_file[name][t.name] for t in signature.inputs},
            "outputs": {t.name: in_file[name][t.name] for t in signature.outputs},
        }
        for name, signature in manifest.signatures.items()
    }
    variables = bool(tflite_file.read(source.path(choice.artifact)).variables) or any(v.state for v in manifest.vectors)
    files.write_text(folder / "handed.json", json.dumps({"variables": variables, "signatures": signatures}, indent=2) + "\n")


def _used(methods: list[records.Method]) -> set[str]:
    """The names among those that a client imports or defines only if it needs them."""
    types = {c.type for m in methods for c in (*m.inputs, *m.outputs)}
    code = " ".join(str(c.to_tensor) for m in methods for c in m.inputs)
    found = {name for name in ("Datatype", "free") if re.search(rf"\b{name}\b", code)}
    return found | ({"HostTensor"} & types)


def _render(folder: Path, context: Mapping[str, Any]) -> None:
    environment = _environment()
    package = context["package"].replace(".", "/")
    for template, target in (
        ("settings.gradle.kts", "settings.gradle.kts"),
        ("model.gradle.kts", "model/build.gradle.kts"),
        ("judge.gradle.kts", "judge/build.gradle.kts"),
        ("README.md", "README.md"),
        ("Client.java", f"model/src/main/java/{package}/{context['client']}.java"),
        ("Model.kt", f"model/src/main/kotlin/{package}/{context['kotlin']}.kt"),
    ):
        files.write_text(folder / target, environment.get_template(f"{template}.j2").render(context))
    files.write_text(folder / ".gitignore", ".gradle/\nbuild/\nlocal.properties\n")
    files.write_text(
        folder / ".gitattributes", "# The manifest holds the hashes of these files.\nmodel/src/main/assets/** binary\n*.jar binary\n"
    )


def _environment() -> Environment:
    filters = {"javadoc": names.javadoc, "literal": names.literal, "kotlin": kotlin.name, "kotlin_type": kotlin.type_of}
    environment = templates(_ROOM / "templates", filters, records.TEMPLATES)
    environment.filters["of"] = lambda component, tensors: component.of(tensors)
    environment.globals.update(call=lambda head, args, tail=")": Call(head, tuple(args), tail), laid_out=laid_out)
    return environment


def _is_handoff(there: Path) -> bool:
    return (there / "settings.gradle.kts").is_file() and (there / _ASSETS / FILE_NAME).is_file()
