"""Asks real releases what they register: `python -m crossload.releases.extraction [RUNTIME …]` writes the data for `crossload check`.

A runtime's worker lists the ops (`RegisteredOps`); the GraphDef version is in its error for a graph of a future version. Kernels come
from the native library itself, in a separate process: the C API's TF_GetAllRegisteredKernels, if the library exports it.
"""

from __future__ import annotations

import json
import lzma
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from google.protobuf import json_format

from crossload.artifacts.declaration import declare
from crossload.artifacts.messages import message_class
from crossload.errors import WorkerFailure
from crossload.releases.registrations import DATA, KERNEL_DEVICES
from crossload.runtimes import environments, registry
from crossload.runtimes.environments import Jar
from crossload.runtimes.registry import Runtime
from crossload.runtimes.supervisor import Limits, ModelSource, Supervisor
from crossload.support import files

_FUTURE = 1 << 30
_MOST_DATATYPES = 64
_LIBRARIES = ("libtensorflow_cc.so.2", "libtensorflow_jni.so")
RUNTIMES = ("tensorflow-java-legacy@*", "tensorflow-java@*", "tensorflow@*")


def extract(runtimes: Iterable[Runtime]) -> dict[str, Any]:
    """The content of the data file for these runtimes, the oldest TensorFlow first; raises the errors of starting them."""
    found = sorted((_of(runtime) for runtime in runtimes), key=lambda r: [int(n) for n in r["tensorflow"].split(".")])
    releases = {r["runtime"]: {key: r[key] for key in ("tensorflow", "graph_def", "datatypes")} for r in found}
    return {"releases": releases, **{what: _shared([r[what] for r in found]) for what in ("ops", "kernels")}}


def _shared(releases: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """By op, its distinct definitions, each with the numbers of its releases: [[[0, 1], …], [[2], …]]."""
    names = sorted({name for release in releases for name in release})
    shared: dict[str, list[Any]] = {name: [] for name in names}
    for number, release in enumerate(releases):
        for name, value in release.items():
            same = next((entry for entry in shared[name] if entry[1] == value), None)
            if same:
                same[0].append(number)
            else:
                shared[name].append([[number], value])
    return shared


def _of(runtime: Runtime) -> dict[str, Any]:
    launch = environments.prepare(runtime.source, lambda text: print(text, file=sys.stderr))
    with Supervisor(runtime.name, launch, Limits()) as supervisor:
        tensorflow = str(supervisor.identity().parameters["native"]).rpartition(" ")[2]
        listed = supervisor.call({"rpc": "RegisteredOps"}, {}, 60.0)["op_list"][0]
        version, datatypes = _graph_def_version(supervisor), _datatypes(supervisor)
    ops = {op.name: _plain(op) for op in message_class("tensorflow.OpList").FromString(listed).op}
    library = _native_library(runtime, launch.argv)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "kernels")
        python = sys.executable if isinstance(runtime.source, Jar) else launch.argv[0]
        command = [python, str(Path(__file__).parent.parent / "tf_process" / "native_kernels.py"), str(library), str(target)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        kernels = _kernels(target.read_bytes())
    print(f"{runtime.title}: TensorFlow {tensorflow}, {len(ops)} ops, kernels of {len(kernels)}, GraphDef {version}", file=sys.stderr)
    return {
        "runtime": runtime.title,
        "tensorflow": tensorflow,
        "graph_def": version,
        "datatypes": datatypes,
        "ops": ops,
        "kernels": kernels,
    }


def _plain(op: Any) -> dict[str, Any]:
    op.ClearField("summary")
    op.ClearField("description")
    made: dict[str, Any] = json_format.MessageToDict(op, preserving_proto_field_name=True)
    return made


def _graph_def_version(supervisor: Supervisor) -> int:
    """TF_GRAPH_DEF_VERSION, from the error for a graph that requires a higher one (core/framework/versions.cc)."""
    graph = message_class("tensorflow.GraphDef")()
    graph.node.add(name="nothing", op="NoOp")
    graph.versions.producer = graph.versions.min_consumer = _FUTURE
    refusal = _refusal(supervisor, graph)
    said = re.search(r"above current version (\d+)", refusal)
    if not said:
        raise RuntimeError(f"{supervisor.name} does not refuse a graph of version {_FUTURE}: {refusal or 'it loads it'}")
    return int(said[1])


def _datatypes(supervisor: Supervisor) -> list[int]:
    """The numbers of types.proto that this release accepts in an attribute."""
    found = []
    for number in range(1, _MOST_DATATYPES):
        graph = message_class("tensorflow.GraphDef")()
        graph.node.add(name="x", op="Placeholder").attr["dtype"].type = number
        if "invalid DataType" not in _refusal(supervisor, graph):
            found.append(number)
    return found


def _refusal(supervisor: Supervisor, graph: Any) -> str:
    """A worker's error for a graph; empty if it loads the graph."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "graph.pb")
        path.write_bytes(graph.SerializeToString())
        try:
            supervisor.load(ModelSource(path, "graph_def", {}))
        except WorkerFailure as failure:
            return failure.message
    return ""


def _kernels(serialised: bytes) -> dict[str, Any]:
    """By op, its kernels for a CPU, as [label, {attr: [datatypes]}] (kernel_def.proto)."""
    found: dict[str, list[Any]] = {}
    for kernel in _kernel_list().FromString(serialised).kernel:
        if kernel.device_type in KERNEL_DEVICES:
            constraints = {c.name: sorted(c.allowed_values.list.type) for c in kernel.constraint if c.allowed_values.list.type}
            found.setdefault(kernel.op, []).append([kernel.label, constraints])
    return {op: sorted(kernels, key=json.dumps) for op, kernels in found.items()}


def _kernel_list() -> Any:
    """`KernelList` (tensorflow/core/framework/kernel_def.proto)."""
    return declare(
        "crossload.kernels",
        {
            "Constraint": [("name", 1, "string"), ("allowed_values", 2, message_class("tensorflow.AttrValue"))],
            "Kernel": [("op", 1, "string"), ("device_type", 2, "string"), ("constraint", 3, ["Constraint"]), ("label", 5, "string")],
            "KernelList": [("kernel", 1, ["Kernel"])],
        },
    )["KernelList"]


def _native_library(runtime: Runtime, argv: Sequence[str]) -> Path:
    """The TensorFlow library of a runtime, beside its companion libraries: in Python's site-packages, or unpacked from a jar."""
    if not isinstance(runtime.source, Jar):
        return next(Path(argv[0]).parent.parent.glob(f"lib/python3*/site-packages/tensorflow/{_LIBRARIES[0]}"))
    folder = environments.folder_of(runtime.source) / "libraries"
    return next(path for name in _LIBRARIES if (path := folder / name).exists())


def write(content: dict[str, Any], path: Path = DATA) -> None:
    """Write the data file; the same content gives the same bytes."""
    text = json.dumps(content, sort_keys=False, separators=(",", ":"))
    with files.written_whole(path) as partial:
        partial.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))


if __name__ == "__main__":
    write(extract(registry.find(sys.argv[1:] or list(RUNTIMES))))
    print(f"{DATA}: {DATA.stat().st_size} bytes", file=sys.stderr)
