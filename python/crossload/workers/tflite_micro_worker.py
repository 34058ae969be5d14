# /// script
# requires-python = ">=3.10,<3.14"
# dependencies = ["tflite-micro==0.dev20261023182759", "ml-dtypes==0.6.0"]
# ///
"""The runtime `tflite-micro`: TensorFlow Lite Micro's kernels, what microcontrollers run, in its Python interpreter."""

import serving

serving.own_streams()  # before anything that may print is imported

import contextlib  # noqa: E402
import os  # noqa: E402
import re  # noqa: E402
import tempfile  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
import tensors  # noqa: E402
from serving import Answer, Refusal, Request, check_complete, check_input, nanoseconds  # noqa: E402
from tflite_micro import __version__, runtime  # noqa: E402

SMALLEST_ARENA, LARGEST_ARENA = 1 << 20, 1 << 30


class MicroModel:
    """A .tflite in TensorFlow Lite Micro: the first subgraph, with the shapes that the file gives its inputs."""

    def __init__(self, request: Request) -> None:
        """Raises Refusal (UNIMPLEMENTED) for what TensorFlow Lite Micro has no kernel or datatype for."""
        data = Path(request.path).read_bytes()
        self._positions = {name: _positions(data, name, binding) for name, binding in request.signatures.items()}
        self._interpreter, printed = _load(data, request.path)
        _, printed = _printed(self._interpreter.print_allocations)
        used = re.search(r"Arena allocation total (\d+) bytes", printed)
        self.note = f"uses {int(used[1]):,} bytes of arena" if used else None

    def run(self, signature: str, inputs: dict[str, np.ndarray], outputs: list[str]) -> Answer:
        """Run a signature once, from the state that the file describes."""
        takes, gives = self._positions[signature]
        check_complete(signature, inputs, takes)
        for name, array in inputs.items():
            self._check(name, array, takes[name])
        self._interpreter.reset()
        for name, array in inputs.items():
            self._interpreter.set_input(array, takes[name])
        _, took = _explained(lambda: nanoseconds(self._interpreter.invoke))
        return Answer({name: np.array(self._interpreter.get_output(gives[name])) for name in outputs}, took)

    def _check(self, name: str, array: np.ndarray, position: int) -> None:
        try:
            detail = self._interpreter.get_input_details(position)
        except (RuntimeError, ValueError) as error:
            raise Refusal("UNIMPLEMENTED", f"TensorFlow Lite Micro's Python interpreter cannot carry input {name!r}: {error}") from error
        shape = [int(d) for d in detail["shape"]]
        check_input(name, array, tensors.datatype_of(detail["dtype"]), None)
        if shape != list(array.shape):
            raise Refusal(
                "UNIMPLEMENTED",
                f"TensorFlow Lite Micro runs the shape the model was written with, {shape}; this vector has {list(array.shape)} for input {name!r}",
            )


def _positions(data: bytes, name: str, binding: dict[str, Any]) -> tuple[dict[str, int], dict[str, int]]:
    """Where a signature's inputs and outputs stand in the first subgraph (schema.fbs: SubGraph.inputs, SignatureDef)."""
    model = runtime.convert_bytearray_to_object(data)
    takes, gives = binding["inputs"], binding["outputs"]
    if binding.get("key") is not None:
        keyed = {d.signatureKey.decode(): d for d in model.signatureDefs or []}
        if binding["key"] not in keyed:
            raise Refusal("NOT_FOUND", f"the model has no signature {binding['key']!r} (for {name!r}); it has: {', '.join(keyed) or 'none'}")
        found = keyed[binding["key"]]
        if found.subgraphIndex:
            raise Refusal("UNIMPLEMENTED", f"TensorFlow Lite Micro runs a file's first subgraph; signature {name!r} is subgraph {found.subgraphIndex}")
        takes, gives = ({m.name.decode(): m.tensorIndex for m in maps or []} for maps in (found.inputs, found.outputs))
    first = model.subgraphs[0]
    return tuple(  # type: ignore[return-value]
        {n: list(order).index(int(index)) for n, index in named.items()} for named, order in ((takes, first.inputs), (gives, first.outputs))
    )


def _load(data: bytes, path: str) -> tuple[Any, str]:
    """The interpreter, with the first arena that is large enough (a greater one costs address space only)."""
    size = max(SMALLEST_ARENA, 10 * len(data))
    while True:
        try:
            return _printed(lambda: _explained(lambda: runtime.Interpreter.from_bytes(data, arena_size=size)))
        except Exception as error:
            raise
