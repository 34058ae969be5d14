"""The resolver's functions for operators, held against the data of `check` and declarations of the published header."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tflite

from crossload.releases import tflite_kernels
from crossload.verbs.handoff.tflm import operators

DECLARED = Path(__file__).parent / "today/tensorflow/lite/micro/micro_mutable_op_resolver.h"


@pytest.mark.parametrize(
    ("op", "method"),
    [
        ("CONV_2D", "Conv2D"),
        ("L2_POOL_2D", "L2Pool2D"),
        ("RELU6", "Relu6"),
        ("PADV2", "PadV2"),
        ("UNIDIRECTIONAL_SEQUENCE_LSTM", "UnidirectionalSequenceLSTM"),
        ("SignalRfft", "Rfft"),
        ("TFLite_Detection_PostProcess", "DetectionPostprocess"),
    ],
)
def test_a_method_is_named_after_its_operator(op: str, method: str) -> None:
    assert operators.method(op) == method


def test_the_resolver_has_a_function_for_every_operator_that_check_finds_in_tflite_micro() -> None:
    declared = set(re.findall(r"TfLiteStatus Add(\w+)\(", DECLARED.read_text("utf-8")))
    micro = next(i for i in tflite_kernels.interpreters() if i.name == "tflite-micro")
    known = [op for op in vars(tflite.BuiltinOperator) if op.isupper() and op != "CUSTOM" and micro.versions(op)]
    assert len(known) == 100
    assert {op: operators.method(op) for op in known if operators.method(op) not in declared} == {}
