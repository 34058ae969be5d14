"""`make bench`: measures what the table of docs/explain/performance.md states, and prints the table.

It needs the demo's bundle (`make demo`) and exits with status 1 when a promise of the table is broken.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crossload.compare.judge import judge_output
from crossload.compare.tolerance import Tolerances
from crossload.contract.bundle import open_bundle
from crossload.runtimes import environments, registry
from crossload.runtimes.supervisor import ModelSource, Supervisor
from tests.benchmarks import java, jpype, large, walls

BUNDLE = Path("build/demo/digits")
# The checkpoint that is listed: variables of 1 MiB. The listing of several GiB costs the same but for its names.
MEBIBYTES = int(os.environ.get("BENCH_CHECKPOINT_MIB", "512"))
CROSSLOAD = Path(sys.executable).parent / "crossload"


@dataclass
class Row:
    """A line of the table: what, the figures, the ratio or figure that is promised, and whether it is kept."""

    what: str
    figures: str
    promised: str
    kept: bool


@dataclass
class Cost:
    """Of one whole process: seconds of wall clock, and the most memory it held in MiB."""

    seconds: float
    mebibytes: float


# A process inherits the peak memory of the one that forks it: a bare Python starts what is measured, not this one with NumPy in it.
_MEASURE = """
import os, sys, time
start, null = time.perf_counter(), [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_WRONLY, 0) for fd in (1, 2)]
_, status, usage = os.wait4(os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=null), 0)
print(time.perf_counter() - start, usage.ru_maxrss / 1024, os.waitstatus_to_exitcode(status))
"""


def process(command: Sequence[str | Path], runs: int) -> Cost:
    """The median cost of a command, after one run to warm the caches."""
    costs = []
    for _ in range(runs + 1):
        measured = subprocess.run(
            [sys.executable, "-S", "-E", "-c", _MEASURE, *map(str, command)], capture_output=True, text=True, check=True
        )
        seconds, mebibytes, status = measured.stdout.split()
        if status != "0":
            raise SystemExit(f"{' '.join(map(str, command))} ended with status {status}")
        costs.append(Cost(float(seconds), float(mebibytes)))
    return Cost(statistics.median(c.seconds for c in costs[1:]), statistics.median(c.mebibytes for c in costs[1:]))


def show() -> list[Row]:
    """`crossload show` against `saved_model_cli show --all`, on the demo's SavedModel."""
    python = Path(environments.prepare(registry.find(["tensorflow+python"])[0].source).argv[0])
    ours = process([CROSSLOAD, "show", BUNDLE / "saved_model", "--all"], 7)
    theirs = process([python.parent / "saved_model_cli", "show", "--all", "--dir", BUNDLE / "saved_model"], 3)
    faster, lighter = theirs.seconds / ours.seconds, ours.mebibytes / theirs.mebibytes
    times = f"{ours.seconds:.3f} s against {theirs.seconds:.2f} s"
    memory = f"{ours.mebibytes:.0f} MiB against {theirs.mebibytes:.0f} MiB"
    return [
        Row(
            "`crossload show` against `saved_model_cli show --all`, time", times, f"{faster:.0f} times faster (promised: 30)", faster >= 30
        ),
        Row("the same, memory", memory, f"{lighter:.1%} (promised: under 10 %)", lighter < 0.1),
    ]


_SAVE = """
import sys
import tensorflow as tf
v1 = tf.compat.v1
v1.disable_eager_execution()
with v1.Session() as session:
    for n in range(int(sys.argv[2])):
        v1.get_variable(f"layer_{n:05}/kernel", initializer=v1.random_uniform((512, 512)))
    session.run(v1.global_variables_initializer())
    v1.train.Saver().save(session, sys.argv[1], write_meta_graph=False)
"""
_LIST = """
import sys
import tensorflow as tf
reader = tf.train.load_checkpoint(sys.argv[1])
shapes, types = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
for name in sorted(shapes):
    print(name, types[name], shapes[name])
"""


def listing() -> list[Row]:
    """`crossload show --all` of a checkpoint against the same listing by tf.train.load_checkpoint."""
    python = Path(environments.prepare(registry.find(["tensorflow+python"])[0].source).argv[0])
    with tempfile.TemporaryDirectory(dir=BUNDLE.parent, prefix="checkpoint-") as folder:
        prefix = Path(folder).resolve() / "model.ckpt"
        subprocess.run([python, "-c", _SAVE, prefix, str(MEBIBYTES)], check=True, capture_output=True)
        ours = process([CROSSLOAD, "show", "--all", prefix], 7)
        theirs = process([python, "-c", _LIST, prefix], 3)
    faster, lighter = theirs.seconds / ours.seconds, ours.mebibytes / theirs.mebibytes
    what = f"`crossload show` of a checkpoint ({MEBIBYTES:,} MiB, as many variables) against `tf.train.load_checkpoint` and listing"
    figures = f"{ours.seconds:.3f} s against {theirs.seconds:.2f} s; {ours.mebibytes:.0f} MiB against {theirs.mebibytes:.0f} MiB of memory"
    kept = faster >= 8 and lighter < 0.15 and ours.seconds < 1
    promised = f"{faster:.0f} times faster (promised: 8, and under a second), {lighter:.1%} of the memory (promised: under 15 %)"
    return [Row(what, figures, promised, kept)]


def importing() -> list[Row]:
    """`import crossload`, less what Python itself takes to start."""
    bare = process([sys.executable, "-c", "pass"], 7).seconds
    ours = process([sys.executable, "-c", "import crossload"], 7).seconds
    return [
        Row(
            "`import crossload`",
            f"{ours - bare:.3f} s over a bare Python",
            f"{ours - bare:.3f} s (promised: under 0.2 s)",
            ours - bare < 0.2,
        )
    ]


def small_calls() -> list[Row]:
    """A warm ModelInfer of one digit through the Java worker, against the runtime's own call inside it."""
    bundle = open_bundle(BUNDLE)
    artifact = next(a for a in bundle.manifest.artifacts if a.format == "saved_model")
    vector = bundle.vectors("serving_default")[0]
    with _supervisor("tensorflow-java") as supervisor:
        supervisor.load(ModelSource(bundle.path(artifact), artifact.format, artifact.bindings, tuple(artifact.tags or ())))
        whole, own = [], []
        for _ in range(10_000):
            start = time.perf_counter_ns()
            answer = supervisor.infer("serving_default", vector.inputs, ["probabilities"])
            whole.append(time.perf_counter_ns() - start)
            own.append(answer.nanoseconds or 0)
    over = [w - o for w, o in zip(whole[-5000:], own[-5000:], strict=True)]
    cost = statistics.median(over) / 1e6
    figures = f"{statistics.median(whole[-5000:]) / 1e6:.3f} ms in all, {statistics.median(own[-5000:]) / 1e6:.3f} ms in TensorFlow Java"
    return [Row("a warm `ModelInfer` through the Java worker", figures, f"{cost:.3f} ms more (promised: at most 0.2 ms)", cost <= 0.2)]


def echo() -> list[Row]:
    """64 MiB there and back through a Python and a Java worker, both ways counted."""
    sent = {"x": np.random.default_rng(0).standard_normal(16 << 20).astype(np.float32)}
    rows = []
    for name in ("tensorflow", "tensorflow-java"):
        with _supervisor(name) as supervisor:
            seconds = _repeat(lambda s=supervisor: s.call({"rpc": "Echo"}, sent, 60), 9)  # type: ignore[misc]
        speed = 2 * sent["x"].nbytes / seconds / 1e9
        rows.append(Row(f"`Echo` of 64 MiB, `{name}`", f"{seconds * 1000:.0f} ms", f"{speed:.2f} GB/s (promised: 2)", speed >= 2))
    return rows


def verifying() -> list[Row]:
    """`crossload verify` of the demo in all default runtimes, against the slowest of them alone."""
    names = [r.name for r in registry.find()]
    alone = {name: process([CROSSLOAD, "verify", BUNDLE, "--runtime", name], 3).seconds for name in names}
    together = process([CROSSLOAD, "verify", BUNDLE], 3).seconds
    slowest = max(alone, key=lambda name: alone[name])
    ratio = together / alone[slowest]
    figures = f"{together:.1f} s; alone: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in alone.items())
    return [
        Row("`crossload verify` of the demo, all default runtimes", figures, f"{ratio:.2f} × {slowest} alone (promised: 1.3)", ratio <= 1.3)
    ]


def judging() -> list[Row]:
    """The judge on a million float32 elements, against NumPy's own greatest difference of them."""
    reference = np.random.default_rng(0).standard_normal((1000, 1000)).astype(np.float32)
    answer = (reference * (1 + 1e-7 * np.random.default_rng(1).standard_normal(reference.shape))).astype(np.float32)

    def least(action: Callable[[], object]) -> float:
        spent = []
        for _ in range(15):
            start = time.thread_time()
            action()
            spent.append(time.thread_time() - start)
        return min(spent)

    ours = least(lambda: judge_output("y", reference, answer, Tolerances(), rounding=1e-6))
    numpy = least(lambda: np.abs(reference.astype(np.float64) - answer.astype(np.float64)).max())
    figures = f"{ours * 1e3:.1f} ms of processor time against {numpy * 1e3:.1f} ms"
    what = "judging 1,000,000 float32 elements against `np.abs(a - b).max()` in float64"
    return [Row(what, figures, f"{ours / numpy:.1f} times (promised: under 5; goal 20 ms)", ours < 5 * numpy)]


def commands() -> list[Row]:
    """Whole commands on the demo, from start to exit; environments have compiled bytecode, and Java's archive of classes is made."""
    rows = []
    saved_model, request = BUNDLE / "saved_model", "pixels=zeros([1,8,8,1])"
    with tempfile.TemporaryDirectory(dir=BUNDLE.parent, prefix="commands-") as folder:
        model = "python/demo/digits.py:classifier"
        for what, words, most in (
            ("`run` in `tensorflow`", ["run", saved_model, "--runtime", "tensorflow", "--input", request], 0.8),
            ("`run` in `tensorflow-java`", ["run", saved_model, "--runtime", "tensorflow-java", "--input", request], 1.2),
            ("`run` in `litert`", ["run", BUNDLE / "model.tflite", "--runtime", "litert", "--input", request], 0.6),
            ("`convert` to a frozen graph", ["convert", saved_model, f"{folder}/frozen.pb", "--overwrite"], 1.2),
            ("`export`, three formats, with the training", ["export", model, "-o", f"{folder}/digits", "--overwrite"], 4.5),
            ("`verify`, five runtimes", ["verify", BUNDLE], 2.5),
            ("`show`", ["show", saved_model], 0.06),
            ("`show --json`", ["show", saved_model, "--json"], 0.08),
            ("`--help`", ["--help"], 0.04),
        ):
            cost = process([CROSSLOAD, *words], 3)
            figures = f"{cost.seconds:.2f} s, {cost.mebibytes:.0f} MiB"
            rows.append(Row(what, figures, f"{cost.seconds:.2f} s (goal: {most})", cost.seconds <= most))
    return rows


def large_graphs() -> list[Row]:
    """`show` and `check` of 200,000 nodes and of 10,000 functions, and how the cost grows."""
    rows = []
    with tempfile.TemporaryDirectory(dir=BUNDLE.parent, prefix="large-") as folder:
        for make, what, sizes in ((large.chain, "nodes", (20_000, 200_000)), (large.calls, "functions", (1_000, 10_000))):
            costs = {}
            for size in sizes:
                file = Path(folder, f"{what}-{size}.pb")
                make(file, size)
                costs[size] = [process([CROSSLOAD, verb, file], 1) for verb in ("show", "check")]
            (small, _), (shown, checked) = costs[sizes[0]], costs[sizes[1]]
            figures = (
                f"`show` {shown.seconds:.1f} s, {shown.mebibytes:.0f} MiB; `check` {checked.seconds:.1f} s, {checked.mebibytes:.0f} MiB"
            )
            ratio = checked.seconds / shown.seconds
            growth = f"`show` {shown.seconds / small.seconds:.1f} times as long as of a tenth"
            rows.append(Row(f"a graph of {sizes[1]:,} {what}", figures, f"`check` {ratio:.1f} × `show` (goal: 2); {growth}", ratio <= 2))
    return rows


def many_files() -> list[Row]:
    """`verify` of 20, 200 and 2,000 small .tflite in two interpreters: the whole time, the core's memory."""
    costs = {}
    with tempfile.TemporaryDirectory(dir=BUNDLE.parent, prefix="many-") as folder:
        for count in (20, 200, 2_000):
            large.copies(BUNDLE / "model.tflite", Path(folder, str(count)), count)
            costs[count] = process([CROSSLOAD, "verify", Path(folder, str(count)), "--runtime", "litert,tflite-runtime"], 1)
    last = costs[2_000]
    figures = "; ".join(f"{count:,}: {cost.seconds:.0f} s, {cost.mebibytes:.0f} MiB" for count, cost in costs.items())
    kept = last.seconds < 60 and last.mebibytes < 150
    return [
        Row("`verify` of small .tflite files in two interpreters", figures, f"{last.seconds:.0f} s for 2,000 (goal: 60, 150 MiB)", kept)
    ]


def in_java() -> list[Row]:
    """The Java library, and TensorFlow Java in a Python process."""
    return [Row(*row) for row in (*java.rows(BUNDLE), *jpype.rows(BUNDLE / "saved_model"))]


def behind_walls() -> list[Row]:
    """Workers in a container and in bubblewrap."""
    return [Row(*row) for row in walls.rows(BUNDLE)]


def _supervisor(name: str) -> Supervisor:
    runtime = registry.find([name])[0]
    return Supervisor(runtime.name, environments.prepare(runtime.source))


def _repeat(action: Callable[[], object], times: int) -> float:
    """The median seconds of an action, after three to warm it up."""
    seconds = []
    for _ in range(times + 3):
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[3:])


def main() -> int:
    """Measure everything, print the table as it grows."""
    if not (BUNDLE / "crossload.json").exists():
        raise SystemExit("there is no build/demo/digits; make demo writes it")
    print("| what | measured | result |\n|---|---|---|", flush=True)
    broken = 0
    measures = (show, listing, importing, judging, commands, large_graphs, many_files, small_calls, echo, in_java, behind_walls, verifying)
    for measure in measures:
        for row in measure():
            broken += not row.kept
            print(f"| {row.what} | {row.figures} | {row.promised}{'' if row.kept else ' **broken**'} |", flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
