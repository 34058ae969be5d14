"""Asks real interpreters what they register: `python -m crossload.releases.tflite_extraction` writes the data for `crossload check`.

With names (`… tflite_extraction litert`), only these are asked, and the others keep their answers; with `--new`, only questions that have
no answer yet are asked; with `--only ADD,CONV_2D`, only those about these operators, again.

Each question is a small file (`tflite_probes`). A worker loads and runs it, so that one which kills the interpreter costs one answer. What
it computes is compared with what LiteRT's reference kernels do (`tflite_answers`).
"""

from __future__ import annotations

import argparse
import json
import lzma
import re
import sys
import tempfile
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crossload.artifacts.tflite import operator_names, tflite_file
from crossload.contract.manifest import Binding
from crossload.errors import WorkerFailure
from crossload.inputs.requests import Requests, complete, draw
from crossload.releases import tflite_bodies, tflite_forms, tflite_probes
from crossload.releases.tflite_answers import Outputs, alike
from crossload.releases.tflite_kernels import DATA, NOT_ASKED, OUTCOMES, TYPES, UNASSIGNED
from crossload.runtimes import environments, registry
from crossload.runtimes.registry import Runtime
from crossload.runtimes.supervisor import Limits, ModelSource, Supervisor
from crossload.support import files

RUNTIMES = ("litert", "tflite-runtime", "tflite-micro", "tflite-java", "tensorflow+lite@*")
REFERENCES = ("litert+reference", "litert+builtin")
# Custom ops that interpreters are known to bring: TensorFlow Lite's (lite/kernels/custom_ops_register.h, register.cc, perception,
# parse_example) and TensorFlow Lite Micro's signal library (python/tflite_micro/python_ops_resolver.cc); Flex: TensorFlow's kernels.
CUSTOM = (
    "FlexMatrixInverse", "Mfcc", "AudioSpectrogram", "TFLite_Detection_PostProcess", "NumericVerify", "HashtableV2", "Atan2", "Sign",
    "Roll", "MultinomialV2", "Convolution2DTransposeBias", "MaxPoolingWithArgmax2D", "MaxUnpooling2D", "DenseImageWarp", "RandomUniform",
    "RandomStandardNormal", "Multinomial", "AddN", "Irfft2d", "Rfft2d", "Gelu", "ParseExample", "ParseExampleV2", "CIRCULAR_BUFFER",
    "SignalDelay", "SignalEnergy", "SignalFftAutoScale", "SignalFilterBank", "SignalFilterBankLog", "SignalFilterBankSquareRoot",
    "SignalFilterBankSpectralSubtraction", "SignalFramer", "SignalIrfft", "SignalOverlapAdd", "SignalPCAN", "SignalRfft", "SignalStacker",
    "SignalWindow", "edgetpu-custom-op", "ethos-u", "DISPATCH_OP",
)  # fmt: skip
Question = tuple[str, str]  # an operator, and the key of the answer
_MOST_VERSION = 20
_LIMITS = Limits(load=20.0, run=20.0)
_NOT_ASKED = "."
_LETTERS = {outcome: letter for letter, outcome in OUTCOMES.items()}
_UNREGISTERED = re.compile(
    r"lacks at least one|Didn't find op for|needs the (?:builtin opcode|operator number|custom op)|needs Flex"
    r"|get registration from op code|code out of range"
)
# The workers' words for a tensor that goes in or out and has no array in an interpreter's API.
_NOT_CARRIED = re.compile(r"cannot carry|Python API|no tensor type")


def ask(runtime: Runtime, found: dict[str, Any] | None = None, stated: Mapping[Question, Outputs] | None = None) -> dict[str, Any]:
    """What one interpreter registers: `versions` and `kernels` by operator, and `custom` ops; raises the errors of starting it.

    `found` are earlier answers, which stand; `stated` is what the reference computes for a question (`reference`).
    """
    codes = operator_names.builtin_codes()
    anew, stated = found is None, stated or {}
    found = found or {"versions": {}, "custom": [], "kernels": {}}
    with _asking(runtime) as asking:
        looks = runtime.name != "tflite-micro"
        for op, code in codes.items() if anew else ():
            if versions := asking.versions(code) if looks else asking.used(code):
                found["versions"][op] = versions
        for name in CUSTOM if anew else ():
            if not asking.lacks(tflite_probes.used(codes["CUSTOM"], name)):
                found["custom"].append("Flex" if name.startswith("Flex") else name)
        for op, key, file in kernel_files(codes):
            letters = found["kernels"].setdefault(op, {})
            if key not in letters:  # forms may ask the same twice
                letters[key] = _inferred(letters, op, key) or asking.letter(file, stated.get((op, key)), carried=op != "")
    return found


def reference(questions: Container[Question]) -> dict[Question, Outputs]:
    """What LiteRT's reference kernels compute for each of these questions, where its other kernels compute the same."""
    one, other = (_computed(runtime, questions) for runtime in registry.find(list(REFERENCES)))
    return {q: values for q, values in one.items() if q in other and alike(values, other[q]) and not _is_chance(*q)}


def _is_chance(op: str, key: str) -> bool:
    """Whether what is computed for a question tells nothing: beyond a tensor's end, or in a recurrent kernel of integers, where the
    question's scales, which are no model's, saturate."""
    return key.endswith((tflite_forms.BEYOND, UNASSIGNED)) or (
        op in ("LSTM", "UNIDIRECTIONAL_SEQUENCE_LSTM", "SVDF") and key.startswith("int")
    )


def _computed(runtime: Runtime, questions: Container[Question]) -> dict[Question, Outputs]:
    files: dict[Question, bytes] = {}
    for op, key, file in kernel_files(operator_names.builtin_codes()):
        if (op, key) in questions:
            files.setdefault((op, key), file)  # as in `ask`, the first file of a question counts
    with _asking(runtime) as asking:
        answers = {question: asking.done(file, run=True) for question, file in files.items()}
    return {question: done for question, done in answers.items() if not isinstance(done, WorkerFailure)}


@contextmanager
def _asking(runtime: Runtime) -> Iterator[_Asking]:
    launch = environments.prepare(runtime.source, _say)
    with tempfile.TemporaryDirectory() as folder, Supervisor(runtime.name, launch, _LIMITS) as supervisor:
        asking = _Asking(supervisor, Path(folder, "probe.tflite"))
        yield asking
    _say(f"{runtime.title}: {asking.asked} files, {asking.crashes} crashes")


def _inferred(letters: Mapping[str, str], op: str, key: str) -> str:
    """The letter that another answer implies: what a kernel does not do at all it does with no hazard, and what kills it at one rank does
    at the next; empty if the interpreter must be asked."""
    plain, separator, hazard = key.partition(" with ")
    if op and separator and letters.get(plain, "o") not in "od":
        return letters[plain]
    kind, rank, number = hazard.partition("rank ")
    below = letters.get(f"{plain} with {kind}{rank}{int(number) - 1}", "") if number else ""
    return below if below in ("c", "C") else ""


def together(answers: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The content of the data file: the interpreters in order, and for each question their answers in that order."""
    content: dict[str, Any] = {"interpreters": list(answers), "versions": {}, "custom": {}, "kernels": {}}
    for number, found in enumerate(answers.values()):
        for op, versions in found["versions"].items():
            content["versions"].setdefault(op, {})[str(number)] = versions
        for name in found["custom"]:
            content["custom"].setdefault(name, []).append(number)
    questions = {(op, key): None for found in answers.values() for op, letters in found["kernels"].items() for key in letters}
    for op, key in questions:
        letters = "".join(found["kernels"].get(op, {}).get(key, _NOT_ASKED) for found in answers.values())
        content["kernels"].setdefault(op, {})[key] = letters
    return content


def apart(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The answers of each interpreter in the content of a data file."""
    kernels = list(content["kernels"].items())
    return {
        title: {
            "versions": {op: by[str(number)] for op, by in content["versions"].items() if str(number) in by},
            "custom": [name for name, numbers in content["custom"].items() if number in numbers],
            "kernels": {op: {key: letters[number] for key, letters in by.items() if letters[number] != _NOT_ASKED} for op, by in kernels},
        }
        for number, title in enumerate(content["interpreters"])
    }


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def kernel_files(codes: dict[str, int]) -> Iterator[tuple[str, str, bytes]]:
    """Every question about a kernel, a datatype or an oddity: the operator, the key of the answer, the file."""
    for probe in tflite_probes.probes(codes, unions()):
        yield probe.op, probe.key, probe.file
    for probe in tflite_probes.special(codes):
        yield probe.op, probe.key, probe.file
    yield from tflite_bodies.questions(codes)
    for datatype in TYPES:
        if datatype not in NOT_ASKED:
            yield "", datatype, tflite_probes.carried(datatype)


def unions() -> dict[str, int]:
    """The number of each operator's options in the union BuiltinOptions: that of the table with the operator's name in its name."""
    import tflite

    unions = {name.removesuffix("Options").lower(): n for name, n in vars(tflite.BuiltinOptions).items() if not name.startswith("_")}
    shared = {
        **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"), "pool2d"),
        **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "REDUCE_ANY", "REDUCE_ALL"), "reducer"),
        **dict.fromkeys(("RANDOM_UNIFORM", "RANDOM_STANDARD_NORMAL", "MULTINOMIAL"), "random"),
        "CONV_3D_TRANSPOSE": "conv3d", "L2_NORMALIZATION": "l2norm", "UNIDIRECTIONAL_SEQUENCE_RNN": "sequencernn",
    }  # fmt: skip
    named = {op: shared.get(op, op.replace("_", "").lower()) for op in operator_names.builtin_codes()}
    return {op: unions[name] for op, name in named.items() if name in unions}


class _Asking:
    """One interpreter, and the file it is asked with."""

    def __init__(self, supervisor: Supervisor, file: Path) -> None:
        self.supervisor, self.file = supervisor, file
        self.asked = self.crashes = 0

    def versions(self, code: int) -> list[int]:
        """The lowest and highest version that is registered, looked for among the first ones; empty if none is."""
        found: list[int] = []
        for version in range(1, _MOST_VERSION):
            if not self.lacks(tflite_probes.registration(code, version)):
                found.append(version)
            elif found or version > 3:
                break
        return [found[0], found[-1]] if found else []

    def used(self, code: int) -> list[int]:
        """As `versions`, of an interpreter that looks up only operators in use, whatever their version."""
        return [] if self.lacks(tflite_probes.used(code)) else [1, _MOST_VERSION]

    def lacks(self, content: bytes) -> bool:
        """Whether the interpreter refuses the file because an operator is not registered."""
        done = self.done(content, run=False)
        return isinstance(done, WorkerFailure) and bool(_UNREGISTERED.search(done.message))

    def letter(self, content: bytes, stated: Outputs | None, *, carried: bool) -> str:
        """The letter of what the interpreter does with a file, upper case if it does so at loading; `stated` is what it should compute.

        With `carried`, "?" where its API has no arrays of the datatype, which tells nothing of the operator.
        """
        done = self.done(content, run=True)
        if not isinstance(done, WorkerFailure):
            return "o" if stated is None or alike(done, stated) else "d"
        if carried and _NOT_CARRIED.search(done.message):
            return "?"
        letter = _LETTERS.get(done.outcome, "?")
        return letter.upper() if done.phase == "load" else letter

    def done(self, content: bytes, *, run: bool) -> WorkerFailure | Outputs:
        """What the interpreter computes for a file, or nothing if it only loads it; or its failure."""
        self.file.write_bytes(content)
        self.asked += 1
        signature = tflite_file.of(self.file, content, ops=False).signature()
        inputs_at, outputs_at = ({t.name: t.tensor for t in side if t.tensor is not None} for side in (signature.inputs, signature.outputs))
        binding = Binding(key=None, inputs=inputs_at, outputs=outputs_at)
        try:
            self.supervisor.load(ModelSource(self.file, "tflite", {"s": binding}))
            if not run:
                return {}
            inputs = complete(signature, draw(signature, Requests(count=1))[0].inputs)
            return dict(self.supervisor.infer("s", inputs, [t.name for t in signature.outputs]).outputs)
        except WorkerFailure as failure:
            if failure.outcome == "crash":
                self.crashes += 1
                self.supervisor.close()
            return failure


def write(content: dict[str, Any], path: Path = DATA) -> None:
    """Write the data file; the same content gives the same bytes."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    with files.written_whole(path) as partial:
        partial.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))


def main(arguments: Sequence[str] | None = None) -> None:
    """Ask, and write the data file; `arguments` as in the module's first lines."""
    parser = argparse.ArgumentParser(prog="python -m crossload.releases.tflite_extraction")
    parser.add_argument("names", nargs="*", help="the interpreters to ask; default: all")
    parser.add_argument("--new", action="store_true", help="ask only questions that have no answer yet")
    parser.add_argument("--only", metavar="OPERATOR,…", help="ask again only about these operators")
    given = parser.parse_args(arguments)
    kept = bool(given.names or given.new or given.only)
    known = apart(json.loads(lzma.decompress(DATA.read_bytes()))) if DATA.exists() and kept else {}
    chosen = registry.find(given.names or list(RUNTIMES))
    earlier = {r.title: known[r.title] for r in chosen if r.title in known and (given.new or given.only)}
    for found in earlier.values() if given.only else ():
        found["kernels"] = {op: letters for op, letters in found["kernels"].items() if op not in given.only.split(",")}
    asked = [(op, key) for op, key, _ in kernel_files(operator_names.builtin_codes())]
    stated = reference({(op, key) for op, key in asked for r in chosen if key not in _letters(earlier.get(r.title), op)})
    for runtime in chosen:
        _say(f"asking {runtime.title}")
        known[runtime.title] = ask(runtime, earlier.get(runtime.title), stated)
        write(together({title: known[title] for title in sorted(known)}))
    _say(f"{DATA}: {DATA.stat().st_size} bytes")


def _letters(found: Mapping[str, Any] | None, op: str) -> Container[str]:
    return found["kernels"].get(op, {}) if found else ()


if __name__ == "__main__":
    main()
