"""What the JPype binding adds to TensorFlow Java's own call: the rows of `make bench` for bindings/jpype."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from crossload.runtimes import environments, registry

# Run in the runtime's environment, which has JPype. Each figure is a median; what is compared is measured alternately.
_MEASURE = """
import ctypes, json, statistics, sys, tempfile, time
from pathlib import Path
import numpy as np
from crossload_jpype import Graph, SavedModelBundle

with SavedModelBundle.load(sys.argv[1]) as bundle:
    signature, pixels = bundle["serving_default"], {"pixels": np.zeros((1, 8, 8, 1), np.float32)}
    whole, own = [], []
    for _ in range(6_000):
        start = time.perf_counter_ns()
        _, nanoseconds = signature.call_timed(pixels, ["probabilities"])
        whole.append(time.perf_counter_ns() - start)
        own.append(nanoseconds)
over = statistics.median(w - o for w, o in zip(whole[-3_000:], own[-3_000:]))

graph_def = '''
node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } } }
node { name: "count" op: "Size" input: "x" attr { key: "T" value { type: DT_FLOAT } } }
node { name: "y" op: "Identity" input: "x" attr { key: "T" value { type: DT_FLOAT } } }
'''
large = np.ones(16 << 20, np.float32)
seconds = {"copy": [], "in": [], "there and back": []}
cpu = {name: [] for name in seconds}

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]

def copy():  # as TensorFlow allocates; NumPy asks for huge pages, whose first touch costs less
    memory = libc.malloc(large.nbytes)
    ctypes.memmove(memory, large.ctypes.data, large.nbytes)
    libc.free(memory)

def timed(name, action):
    start, worked = time.perf_counter(), time.process_time()
    action()
    seconds[name].append(time.perf_counter() - start)
    cpu[name].append(time.process_time() - worked)

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "graph.pbtxt")
    path.write_text(graph_def)
    with Graph.load(path) as graph:
        for _ in range(15):
            timed("copy", copy)
            timed("in", lambda: graph.run({"x": large}, "count"))
            timed("there and back", lambda: graph.run({"x": large}, "y"))
found = {name: statistics.median(times[3:]) for name, times in seconds.items()}
found["copies"] = statistics.median(cpu["in"][3:]) / statistics.median(cpu["copy"][3:])
print(json.dumps({"over": over / 1e3, "whole": statistics.median(whole[-3_000:]) / 1e3, **found}))
"""


def rows(saved_model: Path) -> list[tuple[str, str, str, bool]]:
    """Rows of the table (what, figures, what is promised, whether it is kept), measured on the demo's SavedModel."""
    launch = environments.prepare(registry.one("tensorflow-java-jpype").source)
    environment = {**os.environ, **launch.environment, "TF_CPP_MIN_LOG_LEVEL": "1"}
    command = [launch.argv[0], "-c", _MEASURE, str(saved_model.resolve())]
    found = json.loads(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
    speed = 2 * (64 << 20) / found["there and back"] / 1e9
    return [
        (
            "a small call through JPype",
            f"{found['whole']:.0f} µs in all",
            f"{found['over']:.0f} µs more than `Session.run` in Java (promised: at most 50)",
            found["over"] <= 50,
        ),
        (
            "an input of 64 MiB through JPype",
            f"{found['in'] * 1000:.0f} ms; `malloc` and `memcpy` of it {found['copy'] * 1000:.0f} ms; there and back {speed:.1f} GB/s",
            f"{found['copies']:.2f} × the CPU time of one copy (promised: under 2)",
            found["copies"] < 2,
        ),
    ]
