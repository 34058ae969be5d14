# /// script
# requires-python = ">=3.10,<3.14"
# dependencies = ["tflite-micro==0.dev20261023182759", "ml-dtypes==0.6.0"]
# ///
"""The runtime `tflite-micro`: TensorFlow Lite Micro's kernels, which microcontrollers run, in its Python interpreter.

With --preserve-all-tensors each tensor has memory of its own, and none takes the place of one that is no longer needed: where answers then
differ, the plan of the arena is at fault, or a kernel that writes beyond its output.
"""

from kit import wire

wire.own_streams()  # before anything that may print is imported

import importlib.metadata  # noqa: E402
import re  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402
from functools import partial  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
from kit import printed, tensors  # noqa: E402
from kit.serving import Answer, Refusal, Request, Server, check_complete, check_input, nanoseconds  # noqa: E402
from tflite_micro import __version__, runtime  # noqa: E402

# An arena costs only the memory that a model touches, but one that is too small kills the process: so it is generous, unless the load
# option `arena_bytes` gives its size.
ARENA_BYTES = 1 << 30
RUNTIME = "TensorFlow Lite Micro"
PRESERVED = "--preserve-all-tensors" in sys.argv
# The messages in its sources for a missing kernel or datatype.
MISSING = re.compile(
    r"Didn't find op|not supported|[Uu]nsupported|[Uu]nresolved|type NOTYPE|get registration from op code|populate a temp"
    r"|[Dd]oes not support|[Oo]nly \w+ (is|are) supported|->type == kTfLite\w+ .*was not true"
)


class MicroModel:
    """A .tflite in TensorFlow Lite Micro: the first subgraph, in the shapes that the file gives its inputs."""

    def __init__(self, request: Request) -> None:
        """Raises Refusal: UNIMPLEMENTED for what TensorFlow Lite Micro has no kernel for, NOT_FOUND for an unknown key."""
        data = Path(request.path).read_bytes()
        model = runtime.convert_bytearray_to_object(data)
        self._positions = {name: _positions(model, name, binding) for name, binding in request.signatures.items()}
        custom = sorted(code.customCode.decode() for code in model.operatorCodes or [] if code.customCode)
        try:
            size = request.options.get("arena_bytes") or ARENA_BYTES
            modes = runtime.InterpreterConfig
            mode = modes.kPreserveAllTensors if PRESERVED else modes.kAllocationRecording
            self._interpreter = _explained(partial(runtime.Interpreter.from_bytes, data, None, size, mode), request.path)
        except Refusal as refusal:
            # It registers some custom ops (those of its signal library), and does not say by name which one it lacks.
            if custom and "op code CUSTOM" in str(refusal):
                sentence = f"{request.path} needs ops of which {RUNTIME} lacks at least one: {', '.join(custom)}"
                raise Refusal("UNIMPLEMENTED", sentence) from refusal
            raise
        said = "" if PRESERVED else printed.with_stderr(self._interpreter.print_allocations)[1]
        used = re.search(r"Arena allocation total (\d+) bytes", said)
        self.note = f"uses {int(used[1]):,} bytes of arena" if used else None
        self._path, self._keep_state = request.path, request.keep_state

    def run(self, signature: str, inputs: dict[str, np.ndarray], outputs: list[str]) -> Answer:
        """Run a signature once; without `keep_state`, from the state that the file describes."""
        found = self._positions[signature]
        if isinstance(found, Refusal):
            raise found
        takes, gives = found
        check_complete(signature, inputs, takes)
        for name, array in inputs.items():
            self._check(name, array, takes[name])
        if not self._keep_state:
            self._interpreter.reset()
        for name, array in inputs.items():
            _explained(partial(self._interpreter.set_input, array, takes[name]), self._path)
        _, took = _explained(lambda: nanoseconds(self._interpreter.invoke), self._path)
        return Answer({name: np.array(self._interpreter.get_output(gives[name])) for name in outputs}, took)

    def _check(self, name: str, array: np.ndarray, position: int) -> None:
        try:
            detail = self._interpreter.get_input_details(position)
            datatype = tensors.datatype_of(detail["dtype"])
        except (RuntimeError, ValueError, TypeError) as error:
            raise Refusal("UNIMPLEMENTED", f"{RUNTIME}'s Python interpreter cannot carry input {name!r} ({error})") from error
        check_input(name, array, datatype, None)
        shape = [int(d) for d in detail["shape"]]
        if shape != list(array.shape):
            sentence = f"{RUNTIME} runs the shape the model was written with, {shape}; this vector has {list(array.shape)} (input {name!r})"
            raise Refusal("UNIMPLEMENTED", sentence)


def _positions(model: Any, name: str, binding: dict[str, Any]) -> tuple[dict[str, int], dict[str, int]] | Refusal:
    """The positions of a signature's inputs and outputs in the first subgraph (schema.fbs: SubGraph.inputs, SignatureDef).

    Raises Refusal for an unknown key; returns one for a signature of another subgraph, so that the others can run.
    """
    takes, gives = binding["inputs"], binding["outputs"]
    if binding.get("key") is not None:
        keyed = {d.signatureKey.decode(): d for d in model.signatureDefs or []}
        if binding["key"] not in keyed:
            raise Refusal("NOT_FOUND", f"the file has no signature {binding['key']!r} (for {name!r}); it has: {', '.join(keyed) or 'none'}")
        found = keyed[binding["key"]]
        if found.subgraphIndex:
            return Refusal("UNIMPLEMENTED", f"{RUNTIME} runs a file's first subgraph; signature {name!r} is subgraph {found.subgraphIndex}")
        takes, gives = ({m.name.decode(): m.tensorIndex for m in maps or []} for maps in (found.inputs, found.outputs))
    first = model.subgraphs[0]
    inputs, outputs = ([int(i) for i in indices] for indices in (first.inputs, first.outputs))
    if strange := [i for i in gives.values() if int(i) not in outputs] or [i for i in takes.values() if int(i) not in inputs]:
        return Refusal("UNIMPLEMENTED", f"{RUNTIME} takes and gives only the file's inputs and outputs; {name!r} binds tensor {strange[0]}")
    return {n: inputs.index(int(i)) for n, i in takes.items()}, {n: outputs.index(int(i)) for n, i in gives.items()}


def _explained(call: Callable[[], Any], path: str) -> Any:
    """The call's result; on failure, a Refusal with the runtime's output, which names the cause (its exception does not)."""
    try:
        return call()
    except (RuntimeError, ValueError) as error:
        said = printed.of_failure(call)
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        missing = MISSING.search(f"{said}\n{error}")
        sentence = f"{RUNTIME} cannot run {path}: {lines[0] if lines else error}"
        raise Refusal("UNIMPLEMENTED" if missing else "INTERNAL", sentence) from error


if __name__ == "__main__":
    release = importlib.metadata.version("tflite-micro")
    about = {"native": f"{RUNTIME} {__version__}", "threads": 1, "options": ["arena_bytes"]}
    Server(f"tflite-micro{'+preserved' if PRESERVED else ''}", release, ["tflite"], MicroModel, about).serve()
