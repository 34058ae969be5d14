"""No leaks: 40,000 calls through each Java worker, and models loaded and freed over and over, leave the resident set flat."""

from __future__ import annotations

import io
import os
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from crossload.artifacts.entries import artifacts_of
from crossload.contract import datatypes, frames
from tests import environment
from tests.workers.conversation import Conversation

pytestmark = pytest.mark.slow

CALLS = int(os.environ.get("SOAK_CALLS", "40000"))
CYCLES = 200
_BATCH = 50  # requests sent before their answers are read: half the time of taking turns
# One tensor that is never closed costs some 200 bytes a call, one string 32. Below is the noise of allocators; 0.0 to 0.6 was seen.
BYTES_PER_CALL = 20
# Where Python holds the JVM, two steps of 1 MiB were seen in 100,000 calls, which is how CPython takes memory. One more may pass.
CALLS_IN_PYTHON, BYTES_PER_CALL_IN_PYTHON = max(CALLS, 100_000), 45
# A graph or an interpreter that is never closed costs 80 kB and more; a JVM's own bookkeeping of a load stays below. 0 to 2,700 was seen.
BYTES_PER_CYCLE = 20_000
# A heap that is there from the first moment and never grows: what grows is native memory, or the JVM's own. JavaCPP's limit on the
# whole process, four times the heap, would be below what TensorFlow takes; the slower compiler's memory comes and goes for minutes.
STEADY = "-Xms128m -Xmx128m -XX:+AlwaysPreTouch -XX:TieredStopAtLevel=1 -Dorg.bytedeco.javacpp.maxphysicalbytes=0"
TENSORFLOW_JAVA = ("tensorflow-java", "tensorflow-java@0.5.0", "tensorflow-java-legacy", "tensorflow-java-jpype")
WORDS = np.array([b"some words", b"", b"\xff" * 100], dtype=object)
FLOATS = np.linspace(0, 1, 192, dtype=np.float32)


class Soaked(Conversation):
    """A worker whose resident set is watched."""

    def __init__(self, runtime: str) -> None:
        launch = environment.launch_of(runtime)
        super().__init__(replace(launch, environment={**launch.environment, "JAVA_TOOL_OPTIONS": STEADY}))
        self.runtime = runtime
        self._resident = psutil.Process(self.process.pid)

    def load_as(self, name: str, path: Path) -> None:
        """Load an artifact under a name."""
        entry = artifacts_of(path, path.name)[0][0]
        signatures = {n: {"key": b.key, "inputs": b.inputs, "outputs": b.outputs} for n, b in entry.bindings.items()}
        parameters: dict[str, Any] = {"path": str(path), "format": entry.format, "signatures": signatures}
        loaded = self.ask(
            "RepositoryModelLoad", model_name=name, parameters=parameters | ({} if entry.tags is None else {"tags": entry.tags})
        )
        assert loaded.code is None, loaded.error

    def soak(self, requests: Sequence[bytes], calls: int) -> list[tuple[int, int]]:
        """Make these requests in turn; calls made and bytes resident, at 100 moments."""
        assert self.process.stdin and self.process.stdout
        samples = []
        for made in range(_BATCH, calls + 1, _BATCH):
            self.process.stdin.write(b"".join(requests[n % len(requests)] for n in range(_BATCH)))
            self.process.stdin.flush()
            for _ in range(_BATCH):
                frame = frames.read(self.process.stdout.read)
                assert frame is not None and "error" not in frame.header, frame and frame.header
            if made % (calls // 100) == 0:
                samples.append((made, self._resident.memory_info().rss))
        return samples

    def cycle(self, path: Path, cycles: int) -> list[tuple[int, int]]:
        """Load a model beside the others and free it; cycles made and bytes resident."""
        samples = []
        for made in range(1, cycles + 1):
            self.load_as("cycle", path)
            assert self.ask("RepositoryModelUnload", model_name="cycle").code is None
            samples.append((made, self._resident.memory_info().rss))
        return samples


def request(model: str, signature: str, **inputs: np.ndarray) -> bytes:
    """The bytes of a ModelInfer."""
    buffers = [datatypes.encode(a) for a in inputs.values()]
    entries = [frames.tensor_entry(n, datatypes.of_array(a), a.shape, len(b)) for (n, a), b in zip(inputs.items(), buffers, strict=True)]
    header = {"id": "1", "rpc": "ModelInfer", "model_name": model, "parameters": {"signature_name": signature}, "inputs": entries}
    stream = io.BytesIO()
    frames.write(stream, frames.Frame(header, buffers))
    return stream.getvalue()


def slope(samples: Sequence[tuple[int, int]]) -> float:
    """Bytes a step over the second half: the median of the slopes between all pairs, which one jump does not move (Theil and Sen)."""
    late = samples[len(samples) // 2 :]
    return statistics.median((b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(late, 2))


def flat(what: str, samples: Sequence[tuple[int, int]], bound: float) -> None:
    """Judge the second half, and say the figure."""
    found = slope(samples)
    print(f"{what}: {found:+.2f} bytes; {samples[0][1] >> 20} MiB at first, {samples[-1][1] >> 20} MiB at last")
    assert found < bound, what


@pytest.fixture
def worker(request: pytest.FixtureRequest) -> Iterator[Soaked]:
    soaked = Soaked(request.param)
    yield soaked
    assert soaked.end() == 0


@pytest.mark.parametrize("worker", TENSORFLOW_JAVA, indirect=True)
def test_calls_of_tensorflow_java_leave_no_memory_behind(worker: Soaked, v1_models: Path) -> None:
    worker.load_as("saved_model", v1_models / "v1_saved_model")
    worker.load_as("graph", v1_models / "v1_frozen.pb")
    requests = [
        request("graph", "serving_default", x=FLOATS[:3].reshape(1, 3)),
        request("saved_model", "strings", words=WORDS),
        request("graph", "serving_default", x=FLOATS.reshape(-1, 3)),
        request("saved_model", "strings", words=WORDS[:1]),
        request("saved_model", "several_inputs", x=FLOATS[:9].reshape(3, 3), factor=np.float32(2), pick=np.array([1, 2], np.int32)),
    ]
    in_python = worker.runtime == "tensorflow-java-jpype"
    calls, bound = (CALLS_IN_PYTHON, BYTES_PER_CALL_IN_PYTHON) if in_python else (CALLS, BYTES_PER_CALL)
    flat(f"a call of {worker.runtime}", worker.soak(requests, calls), bound)


@pytest.mark.parametrize("worker", ["djl"], indirect=True)
def test_calls_of_djl_leave_no_memory_behind(worker: Soaked, v1_models: Path) -> None:
    worker.load_as("m", v1_models / "v1_saved_model")
    requests = [
        request("m", "strings", words=WORDS),
        request("m", "several_inputs", x=FLOATS[:9].reshape(3, 3), factor=np.float32(2), pick=np.array([1, 2], np.int32)),
        request("m", "strings", words=WORDS[:1]),
    ]
    flat("a call of djl", worker.soak(requests, CALLS), BYTES_PER_CALL)


@pytest.mark.parametrize("worker", ["tflite-java"], indirect=True)
def test_calls_of_tflite_java_leave_no_memory_behind(worker: Soaked, corpus: Path) -> None:
    worker.load_as("network", corpus / "tflite_cnn.tflite")
    worker.load_as("strings", corpus / "tflite_identity_string.tflite")
    worker.load_as("indices", corpus / "tflite_no_signature.tflite")
    unsigned = artifacts_of(corpus / "tflite_no_signature.tflite", "indices")[0][0].bindings["serving_default"]
    words = np.resize(WORDS, (2, 3))
    requests = [
        request("network", "serving_default", pixels=FLOATS[:64].reshape(1, 8, 8, 1)),
        request("strings", "serving_default", x=words),
        request("network", "serving_default", pixels=FLOATS.reshape(3, 8, 8, 1)),
        request("strings", "serving_default", x=words[:1]),
        request("indices", "serving_default", **{name: FLOATS[:128].reshape(2, 8, 8, 1) for name in unsigned.inputs}),
    ]
    flat("a call of tflite-java", worker.soak(requests, CALLS), BYTES_PER_CALL)


@pytest.mark.parametrize("worker", ["tensorflow-java"], indirect=True)
def test_models_that_tensorflow_java_loads_and_frees_leave_no_memory_behind(worker: Soaked, v1_models: Path) -> None:
    flat("a model loaded and freed in tensorflow-java", worker.cycle(v1_models / "v1_saved_model", CYCLES), BYTES_PER_CYCLE)


@pytest.mark.parametrize("worker", ["tflite-java"], indirect=True)
def test_models_that_tflite_java_loads_and_frees_leave_no_memory_behind(worker: Soaked, corpus: Path) -> None:
    flat("a model loaded and freed in tflite-java", worker.cycle(corpus / "tflite_cnn.tflite", CYCLES), BYTES_PER_CYCLE)
