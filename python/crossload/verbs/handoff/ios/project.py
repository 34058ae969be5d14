"""The iOS project of a bundle: a Swift package, and a pod, with a typed client and a test that judges the model on the device."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossload.compare.tolerance import Tolerances
from crossload.contract.manifest import FILE_NAME, Manifest
from crossload.runtimes import registry
from crossload.support import files
from crossload.verbs import destinations
from crossload.verbs.destinations import only_writer
from crossload.verbs.handoff import carried_bundle
from crossload.verbs.handoff.c import client as c_client
from crossload.verbs.handoff.c import names as c_names
from crossload.verbs.handoff.c import project as c_project
from crossload.verbs.handoff.handed import Handoff
from crossload.verbs.handoff.ios import client, names
from crossload.verbs.handoff.naming import templates

if TYPE_CHECKING:
    from jinja2 import Environment

_ROOM = Path(__file__).parent
# The C project's judge, and what the test calls of it: SwiftPM shows a C target's folder `include` to Swift.
_SHARED = ("answers.c", "answers.h", "judge.c", "judge.h", "tensors.c", "vectors.h")
_SHOWN = ("tensors.h",)
# What `check` calls the interpreter of the pod.
_INTERPRETER = "ios@2.17.0"
_SIMULATOR = "platform=iOS Simulator,name=iPhone 16"


def write(bundle: str | Path, destination: str | Path, *, artifact: str | None = None, overwrite: bool = False) -> Handoff:
    """Write an iOS project, as `handoff` describes it (verbs.handoff.handoff)."""
    source, there = carried_bundle.opened(Path(bundle)), Path(destination)
    found = carried_bundle.chosen(source, registry.one("litert"), artifact)
    in_file = carried_bundle.file_names(source, found.artifact, found.signatures)

    def obstacle(name: str) -> str | None:
        key = found.artifact.bindings[name].key or ""
        return client.obstacle(source.manifest.signatures[name]) or names.unspeakable([key, *in_file[name].values()])

    choice = carried_bundle.carried(found, "iOS", obstacle, Path(bundle))
    manifest, handed = carried_bundle.reduced(source.manifest, choice), choice.artifact
    functions = c_client.functions(handed, manifest.signatures, in_file, c_names.identifier(manifest.model.name))
    model = names.type_name(manifest.model.name)
    module, judge = f"{model}Model", f"{model}Judge"
    placed = _placed(manifest, module)
    context = {
        **c_project.context_of(placed, module, functions),
        "methods": client.methods(functions),
        "module": module,
        "judge": judge,
        "client": f"{model}Client",
        "simulator": _SIMULATOR,
        "predicted": carried_bundle.explained(source, choice, _INTERPRETER),
    }
    with only_writer(there, "handoff"):
        destinations.check(there, "handoff", _is_handoff, overwrite=overwrite)
        with files.folder_written_whole(there) as folder:
            carried_bundle.write(source, manifest, folder, placed)
            _copy(_ROOM / "sources" / "client", folder / "Sources" / module)
            _write_judge(folder / "Sources" / judge)
            resources = folder / "Tests" / f"{module}Tests" / "Resources"
            resources.mkdir(parents=True)
            rows = c_project.record(source, functions, Tolerances(dict(manifest.tolerance)), resources / "vectors.bin")
            files.write_text(folder / "Sources" / judge / "vectors.c", c_project.tables(functions, rows, placed, folder=""))
            _render(folder, context)
    vectors = sum(map(len, rows.values()))
    test = f"cd {there} && xcodebuild test -scheme {module} -destination '{_SIMULATOR}'"
    return Handoff(there, f"{module}.{model}Client", "TensorFlow Lite on iOS", handed, len(functions), vectors, test, choice.left_out)


def _placed(manifest: Manifest, module: str) -> Manifest:
    """The manifest with the files where the project has them: the model among the resources, the recorded answers apart from what ships."""
    (artifact,) = manifest.artifacts
    own = artifact.model_copy(update={"path": f"Sources/{module}/Resources/model.tflite"})
    vectors = [v.model_copy(update={"path": f"vectors/{n}.oip"}) for n, v in enumerate(manifest.vectors)]
    return manifest.model_copy(update={"artifacts": [own], "vectors": vectors})


def _write_judge(folder: Path) -> None:
    shared = _ROOM.parent / "c" / "sources"
    for name in _SHARED:
        files.write_text(folder / name, (shared / name).read_text("utf-8"))
    for name in _SHOWN:
        files.write_text(folder / "include" / name, (shared / name).read_text("utf-8"))
    for file in sorted((_ROOM / "sources" / "judge").iterdir()):
        files.write_text((folder / "include" if file.suffix == ".h" else folder) / file.name, file.read_text("utf-8"))


def _copy(room: Path, folder: Path) -> None:
    for file in sorted(room.iterdir()):
        files.write_text(folder / file.name, file.read_text("utf-8"))


def _render(folder: Path, context: Mapping[str, Any]) -> None:
    environment = _environment()
    module = context["module"]
    for template, target in (
        ("Package.swift", "Package.swift"),
        ("podspec", f"{module}.podspec"),
        ("Podfile", "Podfile"),
        ("README.md", "README.md"),
        ("swift-format", ".swift-format"),
        ("Client.swift", f"Sources/{module}/{context['client']}.swift"),
        ("Conformance.swift", f"Tests/{module}Tests/Conformance.swift"),
        ("ConformanceTests.swift", f"Tests/{module}Tests/ConformanceTests.swift"),
    ):
        files.write_text(folder / target, environment.get_template(f"{template}.j2").render(context))
    files.write_text(folder / ".gitignore", ".build/\n.swiftpm/\nPods/\n")
    files.write_text(
        folder / ".gitattributes", "# The manifest holds the hashes of these files.\n*.tflite binary\n*.oip binary\n*.bin binary\n"
    )


def _environment() -> Environment:
    return templates(_ROOM / "templates", {"literal": names.literal, "comment": names.comment})


def _is_handoff(there: Path) -> bool:
    return (there / "Package.swift").is_file() and (there / FILE_NAME).is_file()
