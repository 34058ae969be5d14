"""What the Java library costs over TensorFlow Java itself: the rows of `make bench` for java/, by JMH and by whole processes."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import crossload
from crossload.runtimes import environments, registry

JAR = Path("java/benchmarks/target/crossload-benchmarks.jar")
MODELS = Path("tests/benchmarks/java_models.py")
# The signatures of MODELS.
SIZES = {"digit": "one digit", "image": "2.4 MB in and out", "bert": "three tensors of 32 × 128 tokens", "texts": "1,000 texts"}
Row = tuple[str, str, str, bool]


def rows(bundle: Path) -> list[Row]:
    """Rows of the table (what, figures, what is promised, whether it is kept); the first answer is measured on the demo's bundle."""
    source = registry.one("tensorflow-java").source
    assert isinstance(source, environments.Jar)
    jars = os.pathsep.join((str(JAR), environments.class_path(source)))
    command = [environments.java(), "-cp", jars]
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "calls")
        crossload.export(f"{MODELS}:calls", made, formats=["saved_model"])
        calls = [*command, f"-Dcrossload.bench.bundle={made}"]
        return [*_calls(calls), _threads(calls), _feeds(command), _first_answer(command, bundle)]


def _calls(command: Sequence[str]) -> list[Row]:
    """A call from arrays to an array with the library and with TensorFlow Java alone, by the sizes of java_models.py."""
    # What is compared takes turns, and the turns change sides: a machine that is busy for a while is busy for both, and the second of two
    # runs is slower than the first.
    methods = ("library", "bare")
    runs = [
        {key: found for name in methods[::side] for key, found in _measured(command, rf"CallBenchmark\.{name}$", "-prof", "gc").items()}
        for side in (1, -1, 1, -1)
    ]
    rows = []
    for size, said in SIZES.items():
        library, bare = ([run[size, name] for run in runs] for name in ("library", "bare"))
        more = statistics.median(ours.microseconds / theirs.microseconds for ours, theirs in zip(library, bare, strict=True)) - 1
        heap, bare_heap = (statistics.median(m.bytes for m in each) / 1024 for each in (library, bare))
        times = (statistics.median(m.microseconds for m in each) for each in (library, bare))
        figures = "{:,.0f} µs; `Session.runner()` with the same arrays {:,.0f} µs".format(*times)
        heaps = f"heap {heap:,.1f} kB against {bare_heap:,.1f}"
        promised = f"{more:+.0%} (goal: 5 %), {heaps} (goal: 1 kB more)"
        rows.append((f"a call of the Java library, {said}", figures, promised, more <= 0.05 and heap <= bare_heap + 1))
    return rows


def _threads(command: Sequence[str]) -> Row:
    """Calls a second of the large size, by 1, 2 and 4 threads."""
    figures, slowest = [], 1.0
    for threads in (1, 2, 4):
        options = f"-p signature=image -bm thrpt -tu s -t {threads}".split()
        found = _measured(command, r"CallBenchmark\.", *options)
        library, bare = (found["image", name].microseconds for name in ("library", "bare"))
        figures.append(f"{threads}: {library:,.0f} against {bare:,.0f}")
        slowest = min(slowest, library / bare)
    return "the same with 2.4 MB, calls/s by threads", " · ".join(figures), f"at least {slowest:.0%} (goal: 95 %)", slowest >= 0.95


def _feeds(command: Sequence[str]) -> Row:
    found = _measured(command, r"TensorBenchmark\.")
    flat, direct, nested = (found["", name].microseconds for name in ("flatArray", "directBuffer", "nestedArray"))
    figures = f"flat array {flat:,.0f} µs, direct buffer {direct:,.0f} µs, nested array {nested:,.0f} µs"
    slower = nested / max(flat, direct)
    return "602,112 floats made into a tensor in Java", figures, f"nested {slower:.0f} times slower (promised: 10)", slower >= 10


@dataclass(frozen=True)
class Measured:
    """Of a benchmark's method: the median microseconds of a call (calls a second where there is no median), and the bytes of heap."""

    microseconds: float
    bytes: float


def _measured(command: Sequence[str], benchmark: str, *options: str) -> dict[tuple[str, str], Measured]:
    """What JMH measured of each signature (empty without one) and method of a benchmark."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "result.json")
        arguments = ["org.openjdk.jmh.Main", "-foe", "true", "-rf", "json", "-rff", str(file), *options, rf"\.{benchmark}"]
        subprocess.run([*command, *arguments], check=True, capture_output=True)
        found = json.loads(file.read_text())
    return {
        (result.get("params", {}).get("signature", ""), result["benchmark"].rpartition(".")[2]): Measured(
            result["primaryMetric"].get("scorePercentiles", {}).get("50.0", result["primaryMetric"]["score"]),
            result["secondaryMetrics"].get("gc.alloc.rate.norm", {}).get("score", 0),
        )
        for result in found
    }


def _first_answer(command: Sequence[str], bundle: Path) -> Row:
    """JavaCPP's cache, where it keeps the natives it unpacked, and an archive of the classes (AppCDS), each made first and then there."""
    answer = ["io.crossload.benchmarks.FirstAnswer", str(bundle)]
    with tempfile.TemporaryDirectory() as folder:
        cached = [*command, f"-Dorg.bytedeco.javacpp.cachedir={folder}/natives"]
        first = _seconds([*cached, *answer])
        subprocess.run([*cached, f"-XX:ArchiveClassesAtExit={folder}/classes.jsa", *answer], check=True, capture_output=True)
        # Taking turns, as above.
        again, archived = zip(
            *(
                (_seconds([*cached, *answer]), _seconds([*cached, f"-XX:SharedArchiveFile={folder}/classes.jsa", *answer]))
                for _ in range(3)
            ),
            strict=True,
        )
    cold, warm, shared = first, statistics.median(again), statistics.median(archived)
    figures = f"{cold:.1f} s at the very first start, {warm:.2f} s with JavaCPP's cache, {shared:.2f} s with AppCDS too"
    kept = shared < warm < cold
    return "a JVM's start to the library's first answer", figures, f"AppCDS saves {1 - shared / warm:.0%} (promised: some)", kept


def _seconds(command: Sequence[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start
