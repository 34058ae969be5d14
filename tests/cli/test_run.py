"""Run: outputs are written unchanged or the error says why not; names from a file cannot control the terminal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from click.testing import CliRunner, Result

from crossload.cli import main
from crossload.cli.run import _write
from crossload.contract import datatypes
from crossload.contract.bundle import open_bundle
from crossload.errors import CrossloadError
from crossload.model import Model, choose
from crossload.runtimes import registry
from crossload.runtimes.supervisor import ModelSource
from tests import CORPUS, fakes
from tests.corpus import handmade

Configure = Callable[..., None]


def run(bundle: Path, runtime: str, *more: str) -> Result:
    return CliRunner().invoke(main, ["run", str(bundle), "--runtime", runtime, *more])


def test_an_answer_is_printed(tmp_path: Path, configure: Configure) -> None:
    configure(honest="honest")
    done = run(fakes.bundle(tmp_path / "b"), "honest", "--input", "x=[1, 2]")
    assert done.exit_code == 0
    assert "y: float32 [2]" in done.output
    assert "[2., 4.]" in done.output


def test_a_keras_export_s_two_names_of_one_signature_are_one(tmp_path: Path) -> None:
    two = handmade.meta_graph("serve")
    two.signature_def["serve"].CopyFrom(two.signature_def["serving_default"])
    handmade.saved_model(tmp_path / "m", two)
    with choose(tmp_path / "m") as model:
        assert model.signature().name == "serving_default"
    handmade.tensor_info(two.signature_def["serve"].outputs["y"], "StatefulPartitionedCall:0", shape=(-1, 3))
    handmade.saved_model(tmp_path / "m", two)
    with choose(tmp_path / "m") as model, pytest.raises(CrossloadError, match="several signatures, name one: serve, serving_default"):
        model.signature()


def test_outputs_are_written_by_name_whatever_their_names_are(tmp_path: Path) -> None:
    outputs = {name: np.float32([n]) for n, name in enumerate(("file", "args", "allow_pickle", "a/b", "y"))}
    _write(tmp_path / "out.npz", outputs)
    with np.load(tmp_path / "out.npz", allow_pickle=False) as found:
        assert {n: found[n].tolist() for n in found} == {n: a.tolist() for n, a in outputs.items()}


@pytest.mark.parametrize("name", sorted(datatypes.DATATYPES))
def test_every_datatype_is_written_so_that_numpy_alone_reads_it(tmp_path: Path, name: str) -> None:
    array = np.array([b"a", b""], object) if name == "BYTES" else np.array([0, 1]).astype(datatypes.numpy_dtype(name))
    _write(tmp_path / "out.npz", {"y": array})
    with np.load(tmp_path / "out.npz", allow_pickle=False) as found:
        assert found["y"].tolist() == array.tolist()


def test_strings_that_npz_would_shorten_are_refused(tmp_path: Path) -> None:
    strings = np.empty(2, object)
    strings[:] = [b"a", b"b\0"]
    with pytest.raises(CrossloadError, match=r"'s'.*NUL"):
        _write(tmp_path / "out.npz", {"s": strings})
    assert not list(tmp_path.iterdir())


def test_a_wrong_input_ends_the_worker_that_has_begun(tmp_path: Path, configure: Configure) -> None:
    configure(slow="hang:import")
    done = run(fakes.bundle(tmp_path / "b"), "slow", "--input", "x=[1, 2")
    assert done.exit_code == 2
    assert done.output.startswith("crossload: --input x=[1, 2: write ")
    assert not [p for p in psutil.Process().children(recursive=True) if "hang:import" in p.cmdline()]


def test_a_runtime_that_does_not_answer_is_one_sentence_and_status_1(tmp_path: Path, configure: Configure) -> None:
    configure(dies="die:run")
    done = run(fakes.bundle(tmp_path / "b"), "dies", "--input", "x=[1]")
    assert done.exit_code == 1
    assert done.output.splitlines()[-1] == "crossload: dies (crash): the worker died (run): killed by SIGSEGV"


def test_a_format_that_no_runtime_takes_names_the_runtimes_that_were_asked(tmp_path: Path, configure: Configure) -> None:
    configure(honest="honest")
    done = run(fakes.bundle(tmp_path / "b"), "tensorflow")
    assert done.exit_code == 2
    assert "tensorflow takes SavedModel, GraphDef" in done.output


def test_a_file_of_outputs_is_replaced_only_with_overwrite(tmp_path: Path, configure: Configure) -> None:
    configure(honest="honest")
    bundle, target = fakes.bundle(tmp_path / "b"), tmp_path / "out.npz"
    target.write_bytes(b"of yesterday")
    refused = run(bundle, "honest", "--input", "x=[1]", "--output-file", str(target))
    assert (refused.exit_code, target.read_bytes()) == (2, b"of yesterday")
    assert "--overwrite" in refused.output
    assert run(bundle, "honest", "--input", "x=[1]", "--output-file", str(target), "--overwrite").exit_code == 0
    with np.load(target) as found:
        assert found["y"].tolist() == [2]


def test_several_signatures_run_in_one_call_and_keep_their_outputs_apart(tmp_path: Path, configure: Configure) -> None:
    configure(honest="honest")
    bundle, target = fakes.bundle(tmp_path / "b"), tmp_path / "out.npz"
    manifest = json.loads((bundle / "crossload.json").read_text())
    manifest["signatures"]["again"] = manifest["signatures"]["double"]
    manifest["artifacts"][0]["bindings"]["again"] = manifest["artifacts"][0]["bindings"]["double"]
    (bundle / "crossload.json").write_text(json.dumps(manifest))
    done = run(bundle, "honest", "-s", "double", "-s", "again", "--input", "x=[1]", "--output-file", str(target))
    assert done.exit_code == 0, done.output
    with np.load(target) as found:
        assert {name: found[name].tolist() for name in found} == {"double/y": [2], "again/y": [2]}
    nobody = run(bundle, "honest", "-s", "double", "-s", "again", "--input", "z=[1]")
    assert nobody.exit_code == 2
    assert "there is no input 'z'" in nobody.output


def test_examples_for_an_input_that_does_not_take_them_are_refused_before_anything_runs(tmp_path: Path, configure: Configure) -> None:
    configure(dies="die:load")
    bundle = fakes.bundle(tmp_path / "b")
    refused = run(bundle, "dies", "--input-examples", 'x=[{"a": [1]}]')
    assert refused.exit_code == 2
    assert "--input-examples x: the input is float32" in refused.output
    assert "write NAME=VALUE" in run(bundle, "dies", "--input-examples", "[]").output
    twice = run(bundle, "dies", "--input-examples", "x=[]", "--input", "x=[1]")
    assert (twice.exit_code, "leave one out" in twice.output) == (2, True)


def test_a_tflite_takes_another_batch_than_it_was_written_with_and_the_answer_says_so(tmp_path: Path, configure: Configure) -> None:
    configure(honest="honest")
    path = tmp_path / "model.tflite"
    path.write_bytes(handmade.Lite((handmade.Tensor("x"), handmade.Tensor("y"))).build())
    done = run(path, "honest", "--input", "x=ones([3,4])")
    assert (done.exit_code, "y: float32 [3, 4]" in done.stdout) == (0, True)
    assert "the file's 'x' has the shape [1, 4], and was resized to [3, 4]" in done.stderr
    assert "resized" not in run(path, "honest", "--input", "x=ones([1,4])").output
    assert run(path, "honest", "--input", "x=ones([3,5])").exit_code == 2


@pytest.mark.slow
def test_real_values_are_quantised_and_the_interpreter_is_named() -> None:
    brought = CORPUS / "brought" / "int8-io"
    done = CliRunner().invoke(main, ["run", str(brought / "int8.tflite"), "--input-file", str(brought / "one.npz"), "--real-values"])
    assert done.exit_code == 0 and "run in litert@" in done.stderr
    assert "output_0: float32 [1, 3]\n[[0.35546875, 0.41015625, 0.23046875]]" in done.stdout


@pytest.mark.slow
def test_examples_are_typed_by_the_graph_s_own_parser() -> None:
    path, example = CORPUS / "brought" / "tf-example" / "saved_model", '[{"age": [30], "subject": ["x"], "tags": [1, 2]}]'
    done = CliRunner().invoke(main, ["run", str(path), "--input-examples", f"examples={example}"])
    assert "[[30.,  1.,  3.]]" in done.stdout
    shown = CliRunner().invoke(main, ["show", str(path)]).stdout
    assert "      age  float32, 1 value, required\n" in shown and "      tags  int64, any number of values\n" in shown


def test_without_a_named_runtime_a_tflite_goes_to_the_next_that_loads_it(tmp_path: Path, configure: Configure) -> None:
    configure(refusing="exit:load", honest="honest")
    bundle = open_bundle(fakes.bundle(tmp_path / "b"))
    (entry, signatures), (first, second) = (bundle.manifest.artifacts[0], bundle.manifest.signatures), registry.find(["refusing", "honest"])
    source = ModelSource(bundle.path(entry), entry.format, entry.bindings, None, {}, signatures)
    with Model(entry, signatures, source, first, None, [second]) as model:
        assert model.signature()(x=np.float32([1, 2]))["y"].tolist() == [2, 4]
        assert model.runtime == second and f"{first.title} does not load it" in str(model.note)
