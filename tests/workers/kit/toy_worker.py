"""A worker without a runtime on the real serving.py: it adds one, prints to standard output, and fails on demand."""

import os
import sys

sys.path.insert(0, sys.argv[1])

from kit import wire

wire.own_streams()

import numpy as np  # noqa: E402
from kit.serving import Answer, Refusal, Request, Server, check_complete, check_input, nanoseconds  # noqa: E402

print("a dependency greets on standard output")
os.system("echo a child greets, too")


class AddOne:
    """y = x + 1 for float32 of shape [n, 3]."""

    note = "it adds one"

    def run(self, signature: str, inputs: dict[str, np.ndarray], outputs: list[str]) -> Answer:
        """`signature` is `ok`, or the way to fail."""
        print("a kernel traces on standard output")
        if signature == "fails":
            raise RuntimeError("the first line\nthe second line")
        if signature == "memory":
            raise MemoryError("no room for 7 GB")
        check_complete(signature, inputs, ["x"])
        check_input("x", inputs["x"], "FP32", [-1, 3])
        result, took = nanoseconds(lambda: inputs["x"] + np.float32(1))
        return Answer({"y": result}, took)


def load(request: Request) -> AddOne:
    """Refuses a path that says so."""
    if "refused" in request.path:
        raise Refusal("FAILED_PRECONDITION", f"{request.path} is refused")
    return AddOne()


Server("toy", "1", ["tflite"], load, {"threads": 1}).serve()
