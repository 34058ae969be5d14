"""What TFLite's interpreters register: operators, their versions and datatypes, custom ops. The data comes from `tflite_extraction`."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data" / "tflite_kernels.json.xz"
# enum TensorType of schema.fbs, in its order.
TYPES = (
    "float32", "float16", "int32", "uint8", "int64", "string", "bool", "int16", "complex64", "int8", "float64", "complex128", "uint64",
    "resource", "variant", "uint32", "uint16", "int4", "bfloat16", "int2", "uint4",
)  # fmt: skip
# No tensors of these go in or out; int2 is in no contract yet.
NOT_ASKED = ("resource", "variant", "int2")
# A hazard of READ_VARIABLE.
UNASSIGNED = "nothing that assigns it"
# The letters of the data for what an interpreter did with a file; upper case: at loading. d: it computed something else than LiteRT does.
OUTCOMES = {"o": "ok", "d": "mismatch", "u": "unsupported", "l": "load_error", "r": "run_error", "c": "crash", "t": "timeout"}
# An interpreter that does not run here, by the measured releases of the same sources before and after it, or of the same version: what
# these do, it does. Android: org.tensorflow:tensorflow-lite. iOS: the pods TensorFlowLiteSwift and TensorFlowLiteC, whose releases were
# 2.14.0 (github.com/tensorflow/tensorflow/issues/71180), then 2.17.0, the last (github.com/tensorflow/flutter-tflite/issues/308).
INFERRED = {
    "android@2.16.1": ("tensorflow+lite@2.15.1", "tflite-java@2.18.0"),
    "ios@2.14.0": ("tflite-runtime@2.14.0",),
    "ios@2.17.0": ("tensorflow+lite@2.15.1", "tflite-java@2.18.0"),
}


@dataclass(frozen=True)
class Answer:
    """What an interpreter did with a file: the outcome, and whether it did so at loading."""

    outcome: str
    at_load: bool


@dataclass(frozen=True)
class Interpreter:
    """A release of an interpreter: its title (`litert@2.3.0`); `between` are the measured releases that an inferred one stands between."""

    title: str
    numbers: tuple[int, ...]
    between: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The title without the version."""
        return self.title.partition("@")[0]

    @property
    def has_versions(self) -> bool:
        """Whether it looks at an operator's version; TensorFlow Lite Micro does not."""
        return self.name != "tflite-micro"

    def versions(self, op: str) -> tuple[int, int] | None:
        """The lowest and the highest version of a builtin operator that it registers; None if it does not have the operator."""
        found = [_data()["versions"].get(op, {}).get(str(n)) for n in self.numbers]
        if None in found:
            return None
        return max(low for low, _ in found), min(high for _, high in found)

    def may_have(self, op: str, version: int) -> tuple[str, ...]:
        """Of the releases that an inferred one stands between, those that register this version where not all do."""
        if not self.between:
            return ()
        found = {t: _data()["versions"].get(op, {}).get(str(n)) for t, n in zip(self.between, self.numbers, strict=True)}
        having = tuple(t for t, versions in found.items() if versions and versions[0] <= version <= versions[1])
        return having if len(having) < len(found) else ()

    def has_custom(self, op: str) -> bool:
        """Whether it registers a custom op of this name, or, for a Flex op, TensorFlow's kernels."""
        name = "Flex" if op.startswith("Flex") else op
        return not self.between and all(n in _data()["custom"].get(name, ()) for n in self.numbers)

    def answer(self, op: str, key: str) -> Answer | None:
        """What it does with an operator on these datatypes (`key_of`); None if that has not been asked, or two releases differ."""
        letters = _data()["kernels"].get(op, {}).get(key)
        found = {_answer(letters[n]) for n in self.numbers} if letters else set()
        return found.pop() if len(found) == 1 else None

    def limit(self, op: str, key: str, hazard: str) -> Answer | None:
        """What it does with an operator on these datatypes where the file has `hazard` (a rank, a broadcast); None if nobody knows.

        For datatypes that were not asked about, what it does on all that were, if that is the same.
        """
        if f"{key} with {hazard}" in _data()["kernels"].get(op, {}):
            return self.answer(op, f"{key} with {hazard}")
        plain = [k for k in _with_hazard().get((op, hazard), ()) if (found := self.answer(op, k)) is not None and found.outcome == "ok"]
        answers = {self.answer(op, f"{k} with {hazard}") for k in plain}
        answer = answers.pop() if len(answers) == 1 else None
        return None if answer is None or answer.outcome == "mismatch" else answer

    def carries(self, datatype: str) -> Answer | None:
        """What it does with a model whose input and output have this datatype."""
        return self.answer("", datatype)


@cache
def _with_hazard() -> dict[tuple[str, str], list[str]]:
    """The datatypes with which an operator was asked about a hazard."""
    found: dict[tuple[str, str], list[str]] = {}
    for op, letters in _data()["kernels"].items():
        for key, separator, hazard in (k.partition(" with ") for k in letters):
            if separator:
                found.setdefault((op, hazard), []).append(key)
    return found


def _answer(letter: str) -> Answer | None:
    return None if letter in "?." else Answer(OUTCOMES[letter.lower()], letter.isupper())


def key_of(inputs: Iterable[str], outputs: Iterable[str]) -> str:
    """The datatypes of an operator's tensors, as the data name them: a repeated one counts once, a quantised one ends in q."""
    return "->".join(" ".join(name for name, _ in groupby(side)) for side in (inputs, outputs))


def without_kernel(op: str) -> str:
    """The question about a subgraph that `op` runs and that has an operator without a kernel: what happens, and when."""
    return f"an operator without a kernel in what {op} runs"


@cache
def interpreters() -> tuple[Interpreter, ...]:
    """Every interpreter with data, then the inferred ones."""
    titles = list(_data()["interpreters"])
    measured = [Interpreter(title, (number,)) for number, title in enumerate(titles)]
    inferred = [
        Interpreter(title, tuple(titles.index(t) for t in between), between)
        for title, between in INFERRED.items()
        if set(between) <= set(titles)
    ]
    return (*measured, *inferred)


@cache
def _data() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(lzma.decompress(DATA.read_bytes()))
    return content
