"""Asks real interpreters what they register: `python -m crossload.releases.tflite_extraction` writes the data for `crossload check`.

With names (`… tflite_extraction litert`), only these are asked, and the others keep their answers; with `--new`, only questions that have
no answer yet are asked.

Each question is a small file (`tflite_probes`). A worker loads and runs it, so that one which kills the interpreter costs one answer.
"""

from __future__ import annotations

import json
import lzma
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crossload.artifacts.tflite import tflite_file
from crossload.contract.manifest import Binding
from crossload.errors import WorkerFailure
from crossload.inputs.requests import Requests, complete, draw
from crossload.releases import tflite_probes
from crossload.releases.tflite_kernels import DATA, NOT_ASKED, OUTCOMES, TYPES
from crossload.runtimes import environments, registry
from crossload.runtimes.registry import Runtime
from crossload.runtimes.supervisor import Limits, ModelSource, Supervisor
from crossload.support import files

RUNTIMES = ("litert", "tflite-runtime", "tflite-micro", "tflite-java", "tensorflow+lite@*")
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
_MOST_VERSION = 20
_LIMITS = Limits(load=20.0, run=20.0)
_NOT_ASKED = "."
_LETTERS = {outcome: letter for letter, outcome in OUTCOMES.items()}
_UNREGISTERED = re.compile(
    r"lacks at least one|Didn't find op for|too new for this interpreter|needs the custom op|needs Flex|get registration from op code"
    r"|code out of range"
)
# The workers' words for a tensor that goes in or out and has no array in an interpreter's API.
_NOT_CARRIED = re.compile(r"cannot carry|Python API|no tensor type")


def ask(runtime: Runtime, found: dict[str, Any] | None = None) -> dict[str, Any]:
    """What one interpreter registers: `versions` and `kernels` by operator, and `custom` ops; raises the errors of starting it.

    `found` are earlier answers, which stand.
    """
    codes = tflite_file.builtin_codes()
    anew = found is None
    found = found or {"versions": {}, "custom": [], "kernels": {}}
    launch = environments.prepare(runtime.source, _say)
    with tempfile.TemporaryDirectory() as folder, Supervisor(runtime.name, launch, _LIMITS) as supervisor:
        asking = _Asking(supervisor, Path(folder, "probe.tflite"))
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
                letters[key] = asking.letter(file, carried=op != "")
        _say(f"{runtime.title}: {asking.asked} files, {asking.crashes} crashes")
    return found


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
        "CONV_3D_TRANSPOSE": "conv3d", "L2_NORMALIZATION": "l2norm", "UNIDIRECTIONAL_SEQUENCE_RNN": "sequencernn",
    }  # fmt: skip
    named = {op: shared.get(op, op.replace("_", "").lower()) for op in tflite_file.builtin_codes()}
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
        failure = self._failure(content, run=False)
        return failure is not None and bool(_UNREGISTERED.search(failure.message))

    def letter(self, content: bytes, *, carried: bool) -> str:
        """The letter of what the interpreter does with a file; upper case if it does so at loading.

        With `carried`, "?" where its API has no arrays of the datatype, which tells nothing of the operator.
        """
        failure = self._failure(content, run=True)
        if failure is None:
            return "o"
        if carried and _NOT_CARRIED.search(failure.message):
            return "?"
        letter = _LETTERS.get(failure.outcome, "?")
        return letter.upper() if failure.phase == "load" else letter

    def _failure(self, content: bytes, *, run: bool) -> WorkerFailure | None:
        self.file.write_bytes(content)
        self.asked += 1
        signature = tflite_file.of(self.file, content, ops=False).signature()
        inputs_at, outputs_at = ({t.name: t.tensor for t in side if t.tensor is not None} for side in (signature.inputs, signature.outputs))
        binding = Binding(key=None, inputs=inputs_at, outputs=outputs_at)
        try:
            self.supervisor.load(ModelSource(self.file, "tflite", {"s": binding}))
            if run:
                inputs = complete(signature, draw(signature, Requests(count=1))[0].inputs)
                self.supervisor.infer("s", inputs, [t.name for t in signature.outputs])
        except WorkerFailure as failure:
            if failure.outcome == "crash":
                self.crashes += 1
                self.supervisor.close()
            return failure
        return None


def write(content: dict[str, Any], path: Path = DATA) -> None:
    """Write the data file; the same content gives the same bytes."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    with files.written_whole(path) as partial:
        partial.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))


if __name__ == "__main__":
    names, new = [a for a in sys.argv[1:] if a != "--new"], "--new" in sys.argv
    known = apart(json.loads(lzma.decompress(DATA.read_bytes()))) if DATA.exists() and sys.argv[1:] else {}
    for asked in registry.find(names or list(RUNTIMES)):
        _say(f"asking {asked.title}")
        known[asked.title] = ask(asked, known.get(asked.title) if new else None)
        write(together({title: known[title] for title in sorted(known)}))
    _say(f"{DATA}: {DATA.stat().st_size} bytes")
