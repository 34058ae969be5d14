"""Projects for TensorFlow Lite Micro: what is in them, what is refused before anything is written, and how they fit its API of today."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import tflite
from click.testing import CliRunner, Result

from crossload.cli import main
from crossload.errors import CrossloadError
from crossload.verbs.handoff.handoff import handoff
from crossload.verbs.handoff.tflm import operators
from tests.corpus.handmade import Lite, Tensor
from tests.verbs.handoff import made
from tests.verbs.handoff.tflm.test_operators import DECLARED

TODAY = DECLARED.parents[3]
BUILTIN = tflite.BuiltinOperator
ARENA = {"arena": 4096}


def command(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["handoff", *map(str, words), "--to", "tflm"])


def test_the_arrays_hold_the_model_and_the_vectors(tmp_path: Path) -> None:
    bundle = made.bundle(tmp_path / "bundle", Lite(), made.vector("one"), made.vector("two"))
    project = handoff(bundle, tmp_path / "out", to="tflm", **ARENA).root
    arrays = {
        name: bytes(
            int(b, 16) for b in re.findall(r"0x(\w\w)", (project / "src" / name).read_text("utf-8").partition("{")[2].partition("};")[0])
        )
        for name in ("model.cpp", "recorded.c")
    }
    assert arrays["model.cpp"] == (bundle / "model.tflite").read_bytes()
    assert len(arrays["recorded.c"]) == 2 * (4 + 2) * 4
    config = (project / "src" / "config.h").read_text("utf-8")
    assert "builtin(FULLY_CONNECTED, FullyConnected) \\\n    builtin(SOFTMAX, Softmax)\n" in config
    assert "#define CROSSLOAD_ARENA_BYTES 4096\n" in config


def test_requests_in_other_shapes_than_the_file_s_are_left_out_and_counted(tmp_path: Path) -> None:
    bundle = made.bundle(tmp_path / "bundle", Lite(), made.vector("one"), made.vector("many", 3))
    done = command(bundle, "-o", tmp_path / "out", "--arena", "4096")
    assert done.exit_code == 0, done.stderr
    assert "1 signature(s), 1 vectors" in done.stdout
    assert "left out: 1 recorded requests in other shapes" in done.stdout
    assert "arena: 4,096 bytes (as given)" in done.stdout

    bundle = made.bundle(tmp_path / "batches", Lite(), made.vector("many", 3))
    with pytest.raises(CrossloadError, match=r"no recorded request of .* has them; record some: crossload export .* --shape x=1,4"):
        handoff(bundle, tmp_path / "none", to="tflm", **ARENA)
    assert not (tmp_path / "none").exists()


def test_operators_that_tensorflow_lite_micro_lacks_are_all_named(tmp_path: Path) -> None:
    lite = Lite(operators=(BUILTIN.SIGN, BUILTIN.SOFTMAX, BUILTIN.ATAN2))
    done = command(made.bundle(tmp_path / "bundle", lite, made.vector("one")), "-o", tmp_path / "out", "--arena", "4096")
    assert done.exit_code == 2
    assert "does not have the operator SIGN, does not have the operator ATAN2. crossload check" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_model_above_the_flash_is_refused_with_the_figures(tmp_path: Path) -> None:
    bundle = made.bundle(tmp_path / "bundle", Lite(), *(made.vector(f"v{n}") for n in range(40)))
    size = (bundle / "model.tflite").stat().st_size
    done = command(bundle, "-o", tmp_path / "out", "--arena", "4096", "--flash", str(size - 1))
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"model.tflite has {size:,} bytes, more than the flash's {size - 1:,}; crossload profile" in done.stderr
    done = command(bundle, "-o", tmp_path / "out", "--arena", "4096", "--flash", str(size + 959))
    assert f"has {size:,} bytes and its recorded vectors 960, together more than the flash's {size + 959:,}; record fewer" in done.stderr
    assert command(bundle, "-o", tmp_path / "out", "--arena", "4096", "--flash", str(size + 960)).exit_code == 0
    assert "exists; --overwrite replaces it" in command(bundle, "-o", tmp_path / "out", "--arena", "4096").stderr


def test_an_option_of_another_receiver_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["handoff", str(tmp_path), "--to", "c", "-o", str(tmp_path / "out"), "--arena", "9"])
    assert done.exit_code == 2
    assert "--arena is of --to tflm, and this is --to c; leave it out" in done.stderr


def checked(project: Path, declarations: Path, standard: str) -> None:
    """Compile every source of a project against declarations; skipped without a C++ compiler."""
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("there is no C++ compiler on this machine (Debian: apt-get install g++)")
    for source in (*(project / "src").glob("*.c"), *(project / "host").glob("*.c"), *(project / "src").glob("*.cpp")):
        language = ["-xc", "-std=c99"] if source.suffix == ".c" else [f"-std={standard}", "-isystem", str(declarations)]
        subprocess.run([compiler, *language, "-fsyntax-only", "-Wall", "-Wextra", "-Werror", str(source)], check=True)


@pytest.mark.parametrize("name", ["model", "judge"])
def test_a_model_called_like_a_file_of_the_project_leaves_that_file(tmp_path: Path, name: str) -> None:
    bundle = made.bundle(tmp_path / "bundle", Lite(operators=(BUILTIN.SOFTMAX,)), made.vector("one"), name=name)
    project = handoff(bundle, tmp_path / "out", to="tflm", **ARENA).root
    assert (project / "src" / f"{name}_client.h").is_file()
    checked(project, TODAY, "c++17")


def test_every_operator_and_names_that_are_no_c_fit_the_api_of_today_and_the_one_before(tmp_path: Path) -> None:
    x, y = 'größe "); */ ??/', "class"
    lite = Lite((Tensor(x, shape=(1, 4)), Tensor(y, shape=(1, 2))), operators=(BUILTIN.SOFTMAX, "SignalRfft", BUILTIN.VAR_HANDLE))
    lite.signatures = {"*/ %s": ({x: 0}, {y: 1})}
    bundle = made.bundle(tmp_path / "bundle", lite, made.vector("\\ */", x=x, y=y), name="int")
    project = handoff(bundle, tmp_path / "out", to="tflm", **ARENA).root
    for standard in ("c++11", "c++17"):
        checked(project, TODAY, standard)

    config = project / "src" / "config.h"
    every = [op for op in vars(BUILTIN) if op.isupper() and f" Add{operators.method(op)}(" in DECLARED.read_text("utf-8")]
    rows = " ".join(f"builtin({op}, {operators.method(op)})" for op in every)
    text = config.read_text("utf-8").partition("#define CROSSLOAD_OPERATOR_COUNT")[0].replace("VARIABLES 1", "VARIABLES 0")
    count = f"#define CROSSLOAD_OPERATOR_COUNT {len(every)}\n"
    config.write_text(f"{text}{count}#define CROSSLOAD_OPERATORS(builtin, custom) {rows}\n#endif\n", "utf-8")
    before = shutil.copytree(TODAY, tmp_path / "before")
    (before / "tensorflow/lite/micro/micro_log.h").unlink()
    for declarations in (TODAY, before):
        checked(project, declarations, "c++17")
