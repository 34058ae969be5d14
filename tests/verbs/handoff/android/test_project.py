"""The Android project: its names and files, and what is refused before anything is written."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from crossload.cli import main
from crossload.contract.bundle import open_bundle
from crossload.contract.manifest import Artifact, Binding, Manifest, Model
from crossload.contract.signatures import Signature, TensorSpec
from crossload.errors import CrossloadError
from crossload.verbs.handoff.android import kotlin
from crossload.verbs.handoff.android.project import carried
from crossload.verbs.handoff.carried_bundle import Choice
from crossload.verbs.handoff.handoff import handoff
from tests.attacks import hostile_bundle


def choice(**signatures: Signature) -> tuple[Manifest, Choice]:
    bindings = {name: Binding(key=name) for name in signatures}
    artifact = Artifact(id="m", format="tflite", path="m.tflite", sha256="0" * 64, bindings=bindings)
    manifest = Manifest(model=Model(name="m"), signatures=signatures, artifacts=[artifact])
    return manifest, Choice(artifact, tuple(signatures), {"before": "of before"})


X, Y = TensorSpec("x", "FP32", (-1,)), TensorSpec("y", "FP32", (-1,))


@pytest.mark.parametrize(
    ("signature", "said"),
    [
        (Signature((TensorSpec("text", "BYTES", (-1,)),), (Y,)), "'text' is string, and TensorFlow Lite's Java API carries bool, float32"),
        (Signature((X,), (TensorSpec("wide", "FP64", (-1,)),)), "'wide' is float64"),
        (Signature((), (Y,)), "it has no input"),
    ],
)
def test_a_signature_that_android_cannot_call_is_left_out_with_the_reason(signature: Signature, said: str) -> None:
    left = carried(*choice(good=Signature((X,), (Y,)), bad=signature), Path("bundle"))
    assert (left.signatures, list(left.left_out)) == (("good",), ["before", "bad"])
    assert said in left.left_out["bad"]
    with pytest.raises(CrossloadError, match=r"the Android client carries no signature of bundle: bad: "):
        carried(*choice(bad=signature), Path("bundle"))


def test_a_bundle_without_a_tflite_is_refused_with_the_next_step(tmp_path: Path) -> None:
    bundle = hostile_bundle.write(tmp_path / "bundle")
    with pytest.raises(CrossloadError, match=r"litert loads only tflite, not graph_def; .*crossload export … --formats tflite"):
        handoff(bundle, tmp_path / "out", to="android")
    assert not (tmp_path / "out").exists()


def test_a_package_that_java_does_not_accept_and_an_option_of_another_receiver_are_refused(tmp_path: Path) -> None:
    for options, said in (
        (["--package", "com.class"], "'class' is not a valid name in it"),
        (["--release", "1.1.0"], "--release is of --to java, and this is --to android; leave it out"),
    ):
        done = CliRunner().invoke(main, ["handoff", str(tmp_path), "--to", "android", "-o", str(tmp_path / "out"), *options])
        assert (done.exit_code, said in done.stderr) == (2, True), done.stderr


def test_kotlin_names_are_java_s_in_backticks_where_kotlin_keeps_the_word() -> None:
    assert [kotlin.name(n) for n in ("pixels", "in", "object", "fun", "class_")] == ["pixels", "`in`", "`object`", "`fun`", "class_"]
    assert [kotlin.type_of(t) for t in ("float[]", "byte[]", "boolean", "int", "HostTensor")] == [
        "FloatArray",
        "ByteArray",
        "Boolean",
        "Int",
        "HostTensor",
    ]


@pytest.mark.slow
def test_the_assets_are_a_bundle_with_plain_names_and_the_jar_holds_the_judge(demo: Path, tmp_path: Path) -> None:
    made = CliRunner().invoke(main, ["handoff", str(demo), "--to", "android", "-o", str(tmp_path / "digits"), "--artifact", "tflite:int8"])
    assert made.exit_code == 0, made.output
    assert made.output.splitlines()[-1] == f"next: gradle -p {tmp_path / 'digits'} :model:connectedTfliteDebugAndroidTest"
    assets = tmp_path / "digits" / "model/src/main/assets/crossload"
    assert sorted(p.relative_to(assets).as_posix() for p in assets.rglob("*") if p.is_file()) == [
        "crossload.json",
        "handed.json",
        "model.tflite",
        "vectors/0.oip",
    ]
    opened = open_bundle(assets)
    assert [a.id for a in opened.manifest.artifacts] == ["tflite:int8"]
    assert opened.vectors("serving_default@int8")
    assert json.loads((assets / "handed.json").read_text())["signatures"]["serving_default@int8"]["key"] == "serving_default"
    with zipfile.ZipFile(tmp_path / "digits/model/libs/crossload-judge.jar") as jar:
        assert {"io/crossload/compare/Judge.class", "io/crossload/HostTensor.class"} <= set(jar.namelist())
    again = ["handoff", str(demo), "--to", "android", "-o", str(tmp_path / "digits")]
    refused = CliRunner().invoke(main, again)
    assert (refused.exit_code, "--overwrite replaces it" in refused.output) == (2, True)
    assert CliRunner().invoke(main, [*again, "--overwrite"]).exit_code == 0
