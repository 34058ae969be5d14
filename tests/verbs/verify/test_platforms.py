"""Platforms side by side: a runtime is paired with the same release here, and their distance is said in the unit of its kind."""

from __future__ import annotations

import numpy as np

from crossload.contract.manifest import Steps
from crossload.contract.vectors import Vector
from crossload.runtimes import registry
from crossload.verbs.verify.platforms import differences, pairs

PAIR = {"docker:litert/arm64": "litert"}


def said(here: dict[str, np.ndarray], there: dict[str, np.ndarray], **rounding: float) -> str:
    key = ("model", "serve", "v0")
    vector = Vector("v0", {}, here, rounding)
    (sentence,) = differences(PAIR, {"litert": {key: here}, "docker:litert/arm64": {key: there}}, {"serve": [vector]})
    return sentence.removeprefix("docker:litert/arm64 against litert on model: ")


def test_a_runtime_of_another_platform_is_paired_with_the_same_release_here() -> None:
    names = ["docker:litert/arm64", "docker:tflite-runtime/arm64", "litert", "tensorflow-java@1.0.0", "docker:tensorflow-java/arm64"]
    assert pairs({name: registry.one(name) for name in names}) == PAIR
    assert pairs({name: registry.one(name) for name in ("docker:litert", "docker:litert/arm64")}) == {
        "docker:litert/arm64": "docker:litert"
    }


def test_answers_of_the_same_bits_are_said_to_be() -> None:
    answer = {"y": np.float32([1, 2])}
    assert said(answer, answer) == "the same bits in all 1 answers"


def test_floats_are_told_in_roundings_and_integers_in_steps() -> None:
    here = {"y": np.float32([1, 2]), "classes": np.int8([5, -7])}
    there = {"y": np.float32([1, 2 + 2**-22]), "classes": np.int8([5, -4])}
    told = said(here, there, y=2.0**-23)
    assert told == "the same bits in 0 of 1 answers, in the others up to 0.67 × rounding; 3 quantisation step(s)"


def test_floats_of_a_quantised_artifact_are_told_in_steps_of_its_scale() -> None:
    here, there = {"y": np.float32([0.5, 0.25])}, {"y": np.float32([0.5, 0.375])}
    vector = Vector("v0", {}, here, steps={"y": Steps(scale=0.125, allowed=1)})
    key = ("model", "serve", "v0")
    (sentence,) = differences(PAIR, {"litert": {key: here}, "docker:litert/arm64": {key: there}}, {"serve": [vector]})
    assert sentence.endswith("in the others up to 1 quantisation step(s)")


def test_another_shape_is_told_as_it_is() -> None:
    assert "has shape [3]" in said({"y": np.float32([1, 2])}, {"y": np.float32([1, 2, 3])})
