"""Where TensorFlow's C API cannot do it, the runtime `tensorflow` says why in one sentence, and verify what takes its place."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from crossload.verbs.verify.verify import verify
from tests import environment
from tests.corpus import handmade
from tests.workers.conversation import Conversation

pytestmark = pytest.mark.slow

LIBRARIES = ("libtensorflow_framework.so.2", "libtensorflow_cc.so.2")


def without_library(_: Path) -> None:
    """A wheel for another use of TensorFlow has none."""


def with_another_api(package: Path) -> None:
    libm = next(Path("/lib").glob("*/libm.so.6"))
    for name in LIBRARIES:
        (package / name).symlink_to(libm)


def with_half_of_another_release(package: Path) -> None:
    (package / LIBRARIES[0]).symlink_to(next(Path("/lib").glob("*/libm.so.6")))
    (package / LIBRARIES[1]).symlink_to(environment.tensorflow_libraries() / LIBRARIES[1])


def with_the_library_of_another_release(package: Path) -> None:
    for name in LIBRARIES:
        (package / name).symlink_to(environment.tensorflow_libraries() / name)
    about = package.parent / "tensorflow_cpu-2.20.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: tensorflow-cpu\nVersion: 2.20.0\n")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            without_library,
            "the C library of the wheel cannot be opened (*: cannot open shared object file*); use the runtime tensorflow+python",
        ),
        (with_another_api, "* has a C API without TF_Version; use the runtime tensorflow+python"),
        (
            with_half_of_another_release,
            "the C library of the wheel cannot be opened (*undefined symbol*); use the runtime tensorflow+python",
        ),
        (with_the_library_of_another_release, "* holds the C library of TensorFlow 2.21.0, but its wheel is 2.20.0; install it again"),
    ],
)
def test_a_library_that_does_not_fit_ends_the_worker_with_one_sentence(tmp_path: Path, make: Callable[[Path], None], words: str) -> None:
    package = tmp_path / "tensorflow"
    package.mkdir()
    (package / "__init__.py").touch()
    make(package)
    argv = list(environment.launch_of("tensorflow").argv)
    settings = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(argv, env=settings, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert fnmatchcase(done.stderr, f"tensorflow worker: {words}\n".replace("[", "[[]"))


def identity() -> Any:
    """A MetaGraphDef that loads and runs: its signature gives back what it takes."""
    made = handmade.meta_graph("serve")
    made.graph_def.Clear()
    handmade.node(made.graph_def.node, "serving_default_x", "Placeholder", shape=(-1, 4), dtype=handmade.FLOAT)
    handmade.node(made.graph_def.node, "StatefulPartitionedCall", "Identity", "serving_default_x", T=handmade.FLOAT)
    handmade.node(made.graph_def.node, "NoOp", "NoOp")
    return made


def test_an_init_op_that_fails_is_named_with_its_cause(tmp_path: Path) -> None:
    meta_graph = identity()
    nodes = meta_graph.graph_def.node
    for name, dtype, field, value in (("filled", handmade.BOOL, "bool_val", False), ("why", handmade.STRING, "string_val", b"no words")):
        constant = handmade.node(nodes, name, "Const", dtype=dtype).attr["value"].tensor
        constant.dtype = dtype
        constant.tensor_shape.SetInParent()
        getattr(constant, field).append(value)
    handmade.node(nodes, "fill_table", "Assert", "filled", "why", T=[handmade.STRING])
    meta_graph.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = "fill_table"
    path = handmade.saved_model(tmp_path / "m", meta_graph)
    worker = Conversation(environment.launch_of("tensorflow"))
    answer = worker.load(path)
    assert answer.code == "INVALID_ARGUMENT"
    assert answer.error == f"loading {path} runs the node 'fill_table', which fails: assertion failed: [no words]"
    assert worker.end() == 0


def test_verify_says_which_signature_it_leaves_out_and_compares_the_others(tmp_path: Path) -> None:
    meta_graph = identity()
    second = meta_graph.signature_def["second"]
    second.CopyFrom(meta_graph.signature_def["serving_default"])
    second.inputs["x"].dtype = 21  # DT_VARIANT
    report = verify(handmade.saved_model(tmp_path / "m", meta_graph), ["tensorflow"])
    assert {(r.case.signature, r.outcome) for r in report.results} == {("serving_default", "ok")}
    assert "the signature 'second' cannot be called: its input 'x' has the datatype variant, which no request carries" in report.cautions
