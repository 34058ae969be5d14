"""The iOS project: its names and files, and what is refused before anything is written."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from crossload.cli import main
from crossload.contract import vectors
from crossload.contract.bundle import open_bundle
from crossload.contract.signatures import Signature, TensorSpec
from crossload.errors import CrossloadError
from crossload.verbs.handoff.handoff import handoff
from crossload.verbs.handoff.ios import client
from tests.attacks import hostile_bundle
from tests.corpus.handmade import Lite
from tests.verbs.handoff import made

X, Y = TensorSpec("x", "FP32", (-1, 4)), TensorSpec("y", "FP32", (-1, 2))


def lite(key: str = "serve", x: str = "x", y: str = "y") -> Lite:
    found = Lite()
    found.signatures = {key: ({x: 0}, {y: 1})}
    return found


@pytest.mark.parametrize(
    ("signature", "said"),
    [
        (Signature((TensorSpec("text", "BYTES", (-1,)),), (Y,)), "'text' is string, and TensorFlow Lite's Swift API takes bool, int8"),
        (Signature((X,), (TensorSpec("half", "FP16", (-1,)),)), "'half' is float16, and TensorFlow Lite's Swift API reads answers in bool"),
        (Signature((X,), (TensorSpec("q", "INT8", (-1,)),)), "'q' is int8, .*; convert the model with --inference-type float32"),
        (Signature((TensorSpec("wide", "FP32", (1,) * 9),), (Y,)), "'wide' has 9 dimensions, and the judge carries at most 8"),
        (Signature((X, TensorSpec("e\u0301", "FP32", ()), TensorSpec("é", "FP32", ())), (Y,)), "are one to Swift"),
    ],
)
def test_what_the_swift_api_cannot_call_is_named(signature: Signature, said: str) -> None:
    assert re.search(said, client.obstacle(signature) or "")


def test_int8_inputs_and_no_inputs_are_no_obstacle() -> None:
    assert client.obstacle(Signature((TensorSpec("q", "INT8", (-1,)),), (Y,))) is None
    assert client.obstacle(Signature((), (Y,))) is None


def test_a_bundle_without_a_tflite_is_refused_with_the_next_step(tmp_path: Path) -> None:
    bundle = hostile_bundle.write(tmp_path / "bundle")
    with pytest.raises(CrossloadError, match=r"litert loads only tflite, not graph_def; .*crossload export … --formats tflite"):
        handoff(bundle, tmp_path / "out", to="ios")
    assert not (tmp_path / "out").exists()


def test_a_name_that_no_swift_string_passes_on_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    bundle = made.bundle(tmp_path / "bundle", lite(key="a\0b"), made.vector("one"))
    with pytest.raises(CrossloadError, match=r"the iOS client carries no signature of .*not text that a Swift string can pass on"):
        handoff(bundle, tmp_path / "out", to="ios")
    assert not (tmp_path / "out").exists()


def test_the_project_is_a_bundle_and_holds_what_the_app_ships_apart_from_what_judges(tmp_path: Path) -> None:
    bundle = made.bundle(tmp_path / "bundle", lite(), made.vector("one"), name="digits")
    done = CliRunner().invoke(main, ["handoff", str(bundle), "--to", "ios", "-o", str(tmp_path / "ios")])
    assert done.exit_code == 0, done.output
    assert "xcodebuild test -scheme DigitsModel" in done.output.splitlines()[-1]
    found = sorted(p.relative_to(tmp_path / "ios").as_posix() for p in (tmp_path / "ios").rglob("*") if p.is_file())
    assert found == [
        ".gitattributes",
        ".gitignore",
        ".swift-format",
        "DigitsModel.podspec",
        "Package.swift",
        "Podfile",
        "README.md",
        *(f"Sources/DigitsJudge/{n}" for n in ("answers.c", "answers.h", "conformance.c")),
        *(f"Sources/DigitsJudge/include/{n}" for n in ("conformance.h", "tensors.h")),
        *(f"Sources/DigitsJudge/{n}" for n in ("judge.c", "judge.h", "tensors.c", "vectors.c", "vectors.h")),
        *(f"Sources/DigitsModel/{n}.swift" for n in ("DigitsClient", "HandedModel", "ModelOptions", "ModelTensor")),
        "Sources/DigitsModel/Resources/model.tflite",
        *(f"Tests/DigitsModelTests/{n}" for n in ("Conformance.swift", "ConformanceTests.swift", "Resources/vectors.bin")),
        "crossload.json",
        "vectors/0.oip",
    ]
    assert open_bundle(tmp_path / "ios").vectors("serve")
    again = CliRunner().invoke(main, ["handoff", str(bundle), "--to", "ios", "-o", str(tmp_path / "ios")])
    assert (again.exit_code, "--overwrite replaces it" in again.output) == (2, True)


def test_names_that_are_no_swift_are_spelt_and_the_file_s_own_are_passed_on(tmp_path: Path) -> None:
    x, y = 'class"\\(x)\n', "größe"
    recorded = vectors.Vector("one", {x: np.ones((1, 4), np.float32)}, {y: np.ones((1, 2), np.float32)})
    bundle = made.bundle(tmp_path / "bundle", lite('"); */', x, y), recorded, name="1st self")
    root = handoff(bundle, tmp_path / "ios", to="ios").root
    text = (root / "Sources/X1stSelfModel/X1stSelfClient.swift").read_text("utf-8")
    assert "public var classX: ModelTensor<Float>" in text
    assert '"class\\u{22}\\u{5c}(x)\\u{a}"' in text
    assert "let grE: ModelTensor<Float>" in text
    assert '"gr\\u{f6}\\u{df}e"' in text
    assert "public func unnamed(_ inputs: UnnamedInputs) throws -> UnnamedOutputs" in text


def test_an_option_of_another_receiver_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["handoff", str(tmp_path), "--to", "ios", "-o", str(tmp_path / "out"), "--package", "com.example"])
    assert (done.exit_code, "--package is of --to java and android, and this is --to ios; leave it out" in done.stderr) == (2, True)
