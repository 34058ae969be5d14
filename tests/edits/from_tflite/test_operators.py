"""Every operator that becomes ops of TensorFlow, in files of one operator: TensorFlow answers as LiteRT does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

import pytest
import tflite

from crossload.artifacts.tflite import tflite_file
from crossload.compare.judge import judge
from crossload.compare.tolerance import Tolerances
from crossload.contract.manifest import Artifact, Binding
from crossload.edits.from_tflite.edge import tflite_to_graph_def
from crossload.edits.from_tflite.options import FIELDS
from crossload.edits.from_tflite.table import FAMILIES, OPERATORS
from crossload.errors import CrossloadError, WorkerFailure
from crossload.releases.tflite_extraction import unions
from crossload.releases.tflite_probes import Probe
from crossload.runtimes.supervisor import ModelSource, Supervisor
from crossload.verbs.verify import steps
from tests.edits.from_tflite.one_operator import asked, drawn, more
from tests.environment import launch_of

# What LiteRT runs and TensorFlow does not, or not as LiteRT: by operator, the datatypes, and why.
REFUSED = {
    ("BITWISE_XOR", "q"): "the bits of quantised integers have no counterpart in real numbers",
    ("RIGHT_SHIFT", "q"): "the bits of quantised integers have no counterpart in real numbers",
    ("BITCAST", "q"): "the bits of quantised integers have no counterpart in real numbers",
    ("BITCAST", "bool"): "TensorFlow's Bitcast takes no bool",
    ("FAKE_QUANT", "int|bool|complex"): "LiteRT copies what it does not round",
    ("QUANTIZE", "int32q"): "int32 activations with a scale are not carried",
    ("RESIZE_BILINEAR", "int32 |bool"): "TensorFlow's ResizeBilinear makes float32",
    ("RESIZE_NEAREST_NEIGHBOR", "bool"): "TensorFlow has no such kernel",
    ("SPACE_TO_BATCH_ND", "bool|complex"): "TensorFlow has no such kernel",
    ("BATCH_TO_SPACE_ND", "bool|complex"): "TensorFlow has no such kernel",
}
OTHERWISE = {
    ("EXP", "int16q"): "LiteRT interpolates a table of 513 entries; at this scale the curve is far from straight between two",
    ("LOG", "int16q"): "as EXP",
    ("CONV_2D", "^float32->float32$"): "LiteRT refuses one without a third tensor",
    ("DEPTHWISE_CONV_2D", "^float32->float32$"): "LiteRT crashes on one without a third tensor",
    ("MATRIX_DIAG", "bool|complex"): "LiteRT moves elements of another width",
    ("MATRIX_SET_DIAG", "bool|complex"): "as MATRIX_DIAG",
    ("FILL", "string"): "LiteRT fills with other bytes than the given ones",
    ("DEPTHWISE_CONV_2D", "float32 int8q"): "LiteRT's hybrid kernel takes a scale for each channel, and the file has one",
}


@pytest.fixture(scope="module")
def litert() -> Iterator[Supervisor]:
    with Supervisor("litert", launch_of("litert")) as supervisor:
        yield supervisor


@pytest.fixture(scope="module")
def tensorflow() -> Iterator[Supervisor]:
    with Supervisor("tensorflow", launch_of("tensorflow")) as supervisor:
        yield supervisor


@pytest.mark.slow
def test_tensorflow_answers_every_operator_as_litert_does(litert: Supervisor, tensorflow: Supervisor, tmp_path: Path) -> None:
    agreed, wrong = set(), []
    for probe in chain(asked(), more()):
        reason = _difference(probe, litert, tensorflow, tmp_path)
        if reason is None:
            agreed.add(probe.op)
        elif not _stated(probe, REFUSED if reason.startswith("refused") else OTHERWISE):
            wrong.append(f"{probe.op} {probe.key}: {reason}")
    assert not wrong, "\n".join(wrong)
    assert set(OPERATORS) - agreed <= {*FAMILIES["control flow"], *FAMILIES["tables and variables"]}  # test_layers.py


def _stated(probe: Probe, stated: Mapping[tuple[str, str], str]) -> bool:
    return any(op == probe.op and re.search(datatypes, probe.key) for op, datatypes in stated)


def _difference(probe: Probe, litert: Supervisor, tensorflow: Supervisor, folder: Path) -> str | None:
    """How TensorFlow's answer to the graph differs from LiteRT's to the file; None if it does not."""
    file, graph = folder / "probe.tflite", folder / "probe.pb"
    file.write_bytes(probe.file)
    signature = tflite_file.of(file, probe.file, ops=False).signature()
    inputs, outputs = ({t.name: t.tensor for t in side if t.tensor is not None} for side in (signature.inputs, signature.outputs))
    binding = Binding(key=None, inputs=inputs, outputs=outputs)
    try:
        made = tflite_to_graph_def(file, graph, {"s": binding.model_dump()}, {})
    except CrossloadError as error:
        return f"refused: {error}"
    allowed = steps.of_artifact(file, Artifact(id="tflite", format="tflite", path="", sha256="", bindings={"s": binding})) or {}
    given = drawn(signature)
    try:
        litert.load(ModelSource(file, "tflite", {"s": binding}))
        wanted = litert.infer("s", given, list(outputs)).outputs
        tensorflow.load(ModelSource(graph, "graph_def", {"s": Binding(**made["s"])}))
        answer = tensorflow.infer("s", given, list(outputs)).outputs
    except WorkerFailure as failure:
        return str(failure)
    judgement = judge(wanted, answer, Tolerances(), steps=allowed.get("s"))[0]
    return None if judgement.agreement != "different" else f"{judgement.reason}: {given} → {wanted}, {answer}"


def test_the_numbers_of_options_are_those_of_the_schema() -> None:
    tables = {number: name for name, number in vars(tflite.BuiltinOptions).items() if not name.startswith("_")}
    for op, fields in FIELDS.items():
        module = Path(tflite.__file__).with_name(f"{tables[unions()[op]]}.py").read_text(encoding="utf-8")
        numbers = {int(n) for n in re.findall(r"builder\.Prepend\w+Slot\((\d+),", module)}
        assert {field[0] for field in fields.values()} <= numbers, op
    assert FIELDS.keys() <= OPERATORS.keys()
