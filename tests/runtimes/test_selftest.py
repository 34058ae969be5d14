"""The self-test: honest adapters pass, with the datatypes that they do not carry; an adapter that changes a tensor fails."""

from __future__ import annotations

import sys

import pytest

from crossload.errors import CrossloadError
from crossload.runtimes.environments import Command
from crossload.runtimes.registry import Runtime
from crossload.runtimes.selftest import certify
from crossload.runtimes.supervisor import Limits
from tests import fakes

QUICK = Limits(start=5, load=5, run=5)


def fake(behaviour: str, **environment: str) -> Runtime:
    return Runtime("fake", ("tflite",), Command((sys.executable, str(fakes.WORKER), behaviour), environment))


def test_an_honest_adapter_is_certified_for_every_datatype() -> None:
    assert certify(fake("honest"), QUICK) == ("fake 1.0, Python, linux, x86_64", [])


def test_an_adapter_that_changes_a_tensor_is_named_with_the_tensor() -> None:
    with pytest.raises(CrossloadError, match=r"fake: a FP32 tensor of shape .* came back changed"):
        certify(fake("wrong-value:Echo"), QUICK)


def test_an_adapter_that_carries_nothing_is_not_certified() -> None:
    with pytest.raises(CrossloadError, match="carries no datatype at all"):
        certify(fake("error:Echo", FAKE_CODE="UNIMPLEMENTED"), QUICK)
