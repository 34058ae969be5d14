"""Handed-over Swift packages, built with Swift for Linux and run over TensorFlow Lite's C library by a stand-in of its Swift API."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from crossload.artifacts.tflite import inner
from crossload.contract.bundle import open_bundle
from crossload.verbs.handoff.handoff import handoff
from crossload.verbs.verify.verify import verify
from tests.verbs.handoff import made as handoffs
from tests.verbs.handoff.ios.toolchain import ROOM, Swift, prepared

pytestmark = pytest.mark.slow
# Calls the typed client, as an app does.
USE = """
import DigitsModel
import XCTest

final class UseTests: XCTestCase {
    func testTheClientTakesAnyBatchAndRefusesAWrongOne() throws {
        let model = try DigitsClient(options: ModelOptions(threads: 1))
        for rows in [3, 1] {
            let pixels = ModelTensor([Float](repeating: 0.5, count: rows * 64), shape: [rows, 8, 8, 1])
            let answer = try model.servingDefault(.init(pixels: pixels)).probabilities
            XCTAssertEqual(answer.shape, [rows, 10])
            XCTAssertEqual(answer.elements.reduce(0, +), Float(rows), accuracy: 1e-4)
        }
        for (shape, said) in [
            ([1, 64], "'pixels' has the shape [1, 64], and the signature takes [?, 8, 8, 1]"),
            ([1, 8, 8], "'pixels' has the shape [1, 8, 8], and the signature takes [?, 8, 8, 1]"),
            ([2, 8, 8, 1], "'pixels' has 64 elements, which are not those of the shape [2, 8, 8, 1]"),
        ] {
            let pixels = ModelTensor([Float](repeating: 0, count: 64), shape: shape)
            XCTAssertThrowsError(try model.servingDefault(.init(pixels: pixels))) { XCTAssertEqual("\\($0)", said) }
        }
    }
}
"""


@dataclass(frozen=True)
class Built:
    """Two packages with their tests, built: the demo's, and one of a model with state and names that are no Swift."""

    swift: Swift
    digits: Path
    counter: Path

    def judged(self, project: Path, delegates: str = "cpu", test: str = "ConformanceTests") -> str:
        """What the test prints; its answers are beside the project."""
        (program,) = (project / ".build/debug").glob("*PackageTests.xctest")
        (name,) = (p.name for p in (project / "Tests").iterdir())
        return self.swift.run(program, f"{name}.{test}", CROSSLOAD_DELEGATES=delegates, CROSSLOAD_ANSWERS=str(project)).stdout


@pytest.fixture(scope="module")
def built(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("ios")
    made = Built(prepared(folder), folder / "digits", folder / "counter")
    handoff(demo, made.digits, to="ios", artifact="tflite")
    (made.digits / "Tests/DigitsModelTests/UseTests.swift").write_text(USE.lstrip(), "utf-8")
    handoff(handoffs.counter(folder, '"); */ \\(x)\n', "class", "größe"), made.counter, to="ios")
    for project, words in ((made.digits, ()), (made.counter, ("-Xswiftc", "-DCROSSLOAD_DELEGATES"))):
        done = made.swift.package("swift-build", project, "--build-tests", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "warning:" not in done.stdout + done.stderr
    return made


def test_the_demo_passes_and_verify_takes_its_answers(built: Built, demo: Path) -> None:
    count = len(open_bundle(demo).vectors("serving_default"))
    assert f"cpu: PASS: {count} of {count} vectors agree\n" in built.judged(built.digits)
    report = verify(demo, ["litert"], devices=[built.digits / "crossload-cpu.json"], artifacts=["tflite"])
    assert {r.outcome for r in report.results} == {"ok"}
    assert len(report.results) == 2 * count
    words = json.loads((built.digits / "crossload-cpu.json").read_text("utf-8"))["device"]
    assert words["delegate"] == "cpu"
    assert all(words.values())


def test_the_typed_client_takes_any_batch_and_refuses_a_wrong_one(built: Built) -> None:
    said = built.judged(built.digits, test="UseTests")
    assert "Executed 1 test, with 0 failures" in said, said


def test_a_model_with_state_and_names_that_are_no_swift_passes_as_one_sequence(built: Built) -> None:
    count = sum(v.count for v in open_bundle(built.counter).manifest.vectors)
    said = built.judged(built.counter, "cpu+xnnpack")
    assert all(f"{word}: PASS: {count} of {count} vectors agree\n" in said for word in ("cpu", "xnnpack")), said


def test_a_delegate_that_cannot_be_had_fails_with_a_sentence_and_the_others_are_judged(built: Built) -> None:
    said = built.judged(built.digits, "xnnpack+metal+nothing+cpu")
    assert "xnnpack: TensorFlow Lite does not load the model with the delegate 'xnnpack' (failedToCreateInterpreter)" in said
    assert "metal: this build has no delegate 'metal': the pod brings Metal and Core ML, the Swift package does not" in said
    assert "nothing: 'nothing' is no delegate; there are: cpu, xnnpack, metal" in said
    assert "cpu: PASS" in said
    assert "Executed 1 test, with 3 failures" in said
    assert "CROSSLOAD_DELEGATES names no delegate" in built.judged(built.digits, "+")
    assert "coreml: this device has no Neural Engine; coreml-all takes any device" in built.judged(built.counter, "coreml")


def test_a_changed_weight_and_cut_recordings_fail(built: Built) -> None:
    resources = [p for p in (built.digits / ".build").rglob("*.resources") if p.is_dir()]
    (model,) = [f for r in resources for f in r.rglob("model.tflite")]
    (recorded,) = [f for r in resources for f in r.rglob("vectors.bin")]
    for file in (model, recorded):
        shutil.copy(file, file.with_suffix(".kept"))
    read = inner.read(model)
    start, _ = max((t.extent for t in read.tensors if t.extent and t.datatype == "FP32"), key=lambda extent: extent[1])
    model.write_bytes(read.data[:start] + np.full(100, 3, "<f4").tobytes() + read.data[start + 400 :])
    said = built.judged(built.digits)
    assert "cpu: FAIL: 0 of" in said
    assert "'probabilities' differs by up to" in said
    shutil.move(model.with_suffix(".kept"), model)
    recorded.write_bytes(recorded.read_bytes()[:-10])
    assert "cpu: vectors.bin is not the file that was handed over" in built.judged(built.digits)
    shutil.move(recorded.with_suffix(".kept"), recorded)


def test_all_swift_is_formatted_as_swift_format_formats(built: Built) -> None:
    files = [p for root in (built.digits, built.counter) for p in root.rglob("*.swift") if ".build" not in p.parts]
    own = [p for p in (built.swift.folder / "TensorFlowLite").rglob("*.swift") if ".build" not in p.parts]
    assert len(files) == 15
    assert len(own) == len(list((ROOM / "standin").rglob("*.swift")))
    done = built.swift.run("swift-format", "lint", "--strict", "--configuration", built.digits / ".swift-format", *files, *own)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
