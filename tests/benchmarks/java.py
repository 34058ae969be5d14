"""What the Java library costs over TensorFlow Java itself: the rows of `make bench` for java/, by JMH and by whole processes."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from crossload.runtimes import environments, registry

JAR = Path("java/benchmarks/target/crossload-benchmarks.jar")
Row = tuple[str, str, str, bool]


def rows(bundle: Path) -> list[Row]:
    """Rows of the table (what, figures, what is promised, whether it is kept), measured on the demo's bundle."""
    source = registry.one("tensorflow-java").source
    assert isinstance(source, environments.Jar)
    jars = os.pathsep.join((str(JAR), environments.class_path(source)))
    command = [environments.java(), "-cp", jars, f"-Dcrossload.bench.bundle={bundle.resolve()}"]
    return [_calls(command), _feeds(command), _first_answer(command, bundle)]


def _calls(command: Sequence[str]) -> Row:
    # What is compared takes turns: a machine that is busy for a while is busy for both.
    runs = [_medians(command, "CallBenchmark") for _ in range(3)]
    library, bare = (statistics.median(run[name] for run in runs) for name in ("library", "bare"))
    more = statistics.median(run["library"] / run["bare"] for run in runs) - 1
    figures = f"{library:.0f} µs; `Session.runner()` with the same tensors made and read {bare:.0f} µs"
    return "`Signature.call` of the Java library, one digit", figures, f"{more:+.0%} (promised: at most 10 % more)", more <= 0.1


def _feeds(command: Sequence[str]) -> Row:
    found = _medians(command, "TensorBenchmark")
    flat, direct, nested = found["flatArray"], found["directBuffer"], found["nestedArray"]
    figures = f"flat array {flat:,.0f} µs, direct buffer {direct:,.0f} µs, nested array {nested:,.0f} µs"
    slower = nested / max(flat, direct)
    return "602,112 floats made into a tensor in Java", figures, f"nested {slower:.0f} times slower (promised: 10)", slower >= 10


def _medians(command: Sequence[str], benchmark: str) -> dict[str, float]:
    """Microseconds of each method of a benchmark."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "result.json")
        arguments = ["org.openjdk.jmh.Main", "-foe", "true", "-rf", "json", "-rff", str(file), rf"\.{benchmark}\."]
        subprocess.run([*command, *arguments], check=True, capture_output=True)
        found = json.loads(file.read_text())
    return {result["benchmark"].rpartition(".")[2]: result["primaryMetric"]["scorePercentiles"]["50.0"] for result in found}


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
