"""Writes judgements.json, what every language's judge must say: `python make_judgements.py > judgements.json` (needs crossload and NumPy).

A list. `reference` and `answer` are lists of outputs: name, datatype, shape, and `hex`, the bytes as on the wire; a reference's may have
`rounding`, or `scale` and `steps`, as in a vectors file. `tolerance` is a
manifest's, `nan` is `same` or `forbid`. `agreement`, `metrics` and `reason` are the whole answer's, as Python's judge gives them: max_ulp
and differing are exact, the other metrics agree to 1e-12 relative, for Python computes 64-bit datatypes in more bits than others have.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import ml_dtypes
import numpy as np

from crossload.compare.judge import judge
from crossload.compare.tolerance import Tolerances
from crossload.contract import datatypes
from crossload.contract.manifest import Steps, Tolerance

NAN, INF = float("nan"), float("inf")
FLOATS = ["FP32", "FP64", "FP16", "BF16", "FP8_E5M2", "FP8_E4M3FN"]
INTEGERS = ["INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "INT4", "UINT4"]
Tensors = Mapping[str, np.ndarray]
Case = tuple[str, Tensors, Tensors, dict[str, Tolerance], str]
Rounded = tuple[Case, dict[str, float]]
Quantised = tuple[Case, dict[str, Steps]]


def array(values: Any, datatype: str = "FP32") -> np.ndarray:
    """An array of a datatype of the contract; strings keep their NULs."""
    if datatype == "BYTES":
        made = np.empty(len(values), object)
        made[:] = values
        return made
    return np.array(values).astype(datatypes.numpy_dtype(datatype))


def bits(datatype: str, *patterns: int) -> np.ndarray:
    """An array of floats by their bits."""
    dtype = datatypes.numpy_dtype(datatype)
    return np.array(patterns, f"u{dtype.itemsize}").view(dtype)


def case(name: str, reference: Any, answer: Any, datatype: str = "FP32", nan: str = "same", **tolerance: Tolerance) -> Case:
    """A case of one output, `y`."""
    one, other = (v if isinstance(v, np.ndarray) else array(v, datatype) for v in (reference, answer))
    return name, {"y": one}, {"y": other}, tolerance, nan


def floats() -> Iterator[Case]:
    """Each agreement and each special value, in every floating-point datatype."""
    for datatype in FLOATS:
        one = np.array([1.0, 1.5], datatypes.numpy_dtype(datatype))
        unsigned = one.view(f"u{one.dtype.itemsize}")
        yield case(f"{datatype}: identical", one, one)
        for steps in (1, 4, 5):
            yield case(f"{datatype}: {steps} ULP", one, (unsigned + unsigned.dtype.type(steps)).view(one.dtype))
        yield case(f"{datatype}: the two zeros", [0.0, 1.0], [-0.0, 1.0], datatype)
        small = bits(datatype, 1, (1 << 8 * one.dtype.itemsize - 1) + 1)
        yield case(f"{datatype}: subnormals on both sides of zero", small, small[::-1].copy())
        yield case(f"{datatype}: NaN in the same place", [NAN, 1.0], [NAN, 1.5], datatype)
        yield case(f"{datatype}: NaN in another place", [NAN, 1.0], [1.0, NAN], datatype)
        greatest = np.array([ml_dtypes.finfo(one.dtype).max] * 2, one.dtype)
        yield case(f"{datatype}: the greatest numbers of both signs", greatest, (-greatest).astype(one.dtype))
        if datatype != "FP8_E4M3FN":
            yield case(f"{datatype}: infinity", [INF, 1.0], [INF, 1.0], datatype)
            yield case(f"{datatype}: infinity of the other sign", [INF, 1.0], [-INF, 1.0], datatype)
            yield case(f"{datatype}: infinity where a number was", greatest, [INF, 1.0], datatype)


def numbers() -> Iterator[Case]:
    """Tolerances, decisions, integers."""
    yield case("close", [1.0, 100.0], [1.000009, 100.0009])
    yield case("beyond the tolerance, the same decision", [[0.1, 0.9], [0.8, 0.2]], [[0.2, 0.8], [0.7, 0.3]])
    yield case("beyond the tolerance, another decision", [[0.1, 0.9], [0.8, 0.2]], [[0.2, 0.8], [0.3, 0.7]])
    yield case("a tie is decided either way", [[0.5, 0.5, 0.1]], [[0.1, 0.6, 0.1]])
    yield case("the first of equal ones is the decision", [[0.5, 0.5, 0.1]], [[0.6, 0.6, 0.3]])
    yield case("a tie within the tolerance", [[0.5, 0.500001, 0.1]], [[0.6, 0.1, 0.1]])
    yield case("all decisions change with confidence", [[0.6, 0.4], [0.3, 0.7]], [[0.4, 0.6], [0.7, 0.3]], FP32=Tolerance(atol=1))
    yield case("one of two decisions changes", [[0.6, 0.4], [0.3, 0.7]], [[0.4, 0.6], [0.3, 0.7]], FP32=Tolerance(atol=1))
    yield case("one decision alone, within a tolerance", [[0.6, 0.4, 0.0]], [[0.4, 0.6, 0.0]], FP32=Tolerance(atol=1))
    yield case(
        "all decisions change without confidence", [[0.5, 0.49, 0], [1, 0.99, 0]], [[0.49, 0.5, 0], [0.99, 1, 0]], y=Tolerance(atol=1)
    )
    for datatype in ("INT8", "INT4", "UINT64"):
        yield case(f"{datatype}: two steps", [[5, 7], [3, 1]], [[7, 5], [1, 3]], datatype, **{datatype: Tolerance(atol=2)})
        yield case(f"{datatype}: three steps", [[4, 7], [4, 1]], [[7, 4], [1, 4]], datatype, **{datatype: Tolerance(atol=3)})
    yield case("tiny answers that vanish, by the default", [3e-9, -1e-9], [0.0, 0.0])
    yield case("zeros alone have the default's atol", [0.0, 0.0], [5e-7, 0.0])
    yield case("answers below 0.1, by the default", [0.01, 0.001], [0.01, 0.0010002])
    yield case("opposite answers", [1.0, -2.0], [-1.0, 2.0])
    yield case("answers of zero", [1.0, -2.0], [0.0, 0.0])
    yield case("a NaN is never the decision", [[NAN, 1.0, 2.0]], [[NAN, 1.5, 2.5]])
    yield case("one number a row has no decision", [[0.1]], [[0.9]])
    yield case("a scalar", 0.1, 0.9)
    yield case("a reference of zero has no relative difference", [0.0, 1.0], [0.5, 1.0])
    yield case("NaN forbidden", [NAN, 1.0], [NAN, 1.0], nan="forbid")
    yield case("nothing forbidden", [2.0, 1.0], [2.0, 1.0], nan="forbid")
    yield case("NaN of another payload", bits("FP32", 0x7FC00000), bits("FP32", 0x7FC00001))
    yield case("float64: a square beyond the range", [1e200, 1.0], [2e200, 1.0], "FP64")
    yield case("float64: a square below the range", [1e-200, 1.0], [2e-200, 1.0], "FP64")
    yield case("float64: the bound met exactly", [0.0, 2.0], [0.25, 2.5], "FP64", FP64=Tolerance(rtol=0.125, atol=0.25))
    yield case("float64: a bound beyond the range", [1e308], [-1e308], "FP64", FP64=Tolerance(rtol=1e300))
    yield case("float64: a difference beyond the range", [1e308], [-1e308], "FP64", FP64=Tolerance(rtol=1.5))
    yield case("a tolerance of its own", [1.0], [1.5], FP32=Tolerance(ulp=0), y=Tolerance(atol=1, ulp=0))
    yield case("a tolerance of the datatype", [1.0], [1.5], FP32=Tolerance(atol=0.4, ulp=0))
    yield case("no ULP allowed", [1.0], np.array([np.nextafter(np.float32(1), np.float32(2))]), FP32=Tolerance(ulp=0))
    for datatype in INTEGERS:
        info = ml_dtypes.iinfo(datatypes.numpy_dtype(datatype))
        low, high = int(info.min), int(info.max)
        ends = np.array([low, high], object).astype(datatypes.numpy_dtype(datatype))
        yield case(f"{datatype}: from end to end", ends, ends[::-1].copy())
        yield case(f"{datatype}: the ends", ends, ends)
        near = np.array([low + 1, high], object).astype(datatypes.numpy_dtype(datatype))
        yield case(f"{datatype}: one step, allowed", ends, near, **{datatype: Tolerance(atol=1)})
        yield case(f"{datatype}: one step, not allowed", ends, near)
    wide = np.array([2**63 - 1, 2**53 + 1])
    yield case("INT64: two that are one double", wide, wide - 1)
    yield case("INT64: a distance that is the next double", np.array([0]), np.array([2**53 + 1]), INT64=Tolerance(atol=2**53))


def others() -> Iterator[Case]:
    """Complex numbers, strings, bools, shapes and names."""
    for datatype in ("COMPLEX64", "COMPLEX128"):
        yield case(f"{datatype}: identical", [1 - 2j, 0], [1 - 2j, 0], datatype)
        yield case(f"{datatype}: its parts are judged", [1 - 2j, 3], [1 - 2.5j, 3], datatype)
        yield case(f"{datatype}: NaN in a part", [complex(1, NAN), 1], [complex(1, NAN), 1], datatype)
        yield case(f"{datatype}: NaN in the other part", [complex(1, NAN), 1], [complex(NAN, 1), 1], datatype)
    yield case("strings", [b"a", b"a\0b\xff", b""], [b"a", b"a\0b\xff", b""], "BYTES")
    yield case("strings that end with NUL", [b"a", b"\0"], [b"a", b""], "BYTES")
    yield case("bools", [[True], [False]], [[True], [False]], "BOOL")
    yield case("bools that differ", [[True], [False]], [[True], [True]], "BOOL")
    for datatype in ("FP32", "INT8", "BOOL", "COMPLEX64"):
        yield case(f"{datatype}: no elements", array(np.zeros((0, 3)), datatype), array(np.zeros((0, 3)), datatype))
    yield case("no strings", [], [], "BYTES")
    yield case("another shape of as many elements", [1.0, 2.0], [[1.0], [2.0]])
    yield case("fewer rows", [[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0]])
    yield case("no elements of another shape", array(np.zeros((0, 3))), array(np.zeros((0, 4))))
    yield case("another datatype of the same values", array([1.0]), array([1.0], "FP64"))
    yield case("another datatype of the same bytes", array([1.0]), array([0x3F800000], "INT32"))
    ones = array([1.0, 1.0])
    yield "no output", {}, {}, {}, "same"
    yield "a missing output", {"a": ones, "b": ones}, {"a": ones}, {}, "same"
    yield "an output that was not asked for", {"a": ones}, {"a": ones, "b": ones}, {}, "same"
    yield "an output of another name", {"a": ones}, {"A": ones}, {}, "same"
    yield "the worst output decides", {"a": ones, "b": ones}, {"b": array([1.0, 1.000008]), "a": ones}, {}, "same"
    yield "two reasons", {"a": ones, "b": ones}, {"a": array([2.0, 1.0]), "b": array([1.0, NAN])}, {}, "same"


def rounded() -> Iterator[Rounded]:
    """Answers with a recorded rounding."""
    near, far = [1.0, 100.0], [1.00003, 100.0]
    yield case("rounding: within 32 times", near, far), {"y": 1e-6}
    yield case("rounding: beyond 32 times", near, far), {"y": 5e-7}
    yield case("rounding: tiny answers that vanish", [3e-9, -1e-9], [0.0, 0.0]), {"y": 1e-16}
    yield case("rounding: none, and the last place of each element", near, [1.000001, 100.0001]), {"y": 0.0}
    yield case("rounding: none, and a reference of zero", [0.0, 1.0], [1e-20, 1.0]), {"y": 0.0}
    yield case("rounding: nothing differs", near, near), {"y": 1e-6}
    yield case("rounding: NaN in the same place", [NAN, 1.0], [NAN, 1.5]), {"y": 1e-3}
    yield case("rounding: a given tolerance wins", near, far, FP32=Tolerance(atol=1.0)), {"y": 1e-9}
    yield case("rounding: integers are exact", [1, 2], [1, 3], "INT32"), {"y": 1.0}
    rows = [[0.01, 0.012, 0.009], [0.008, 0.01, 0.0095]]
    yield case("rounding: all decisions change", rows, [[0.012, 0.01, 0.009], [0.01, 0.0095, 0.008]], "BF16"), {"y": 1e-4}
    yield case("rounding: the only decision changes", rows[:1], [[0.012, 0.01, 0.009]], "BF16"), {"y": 1e-4}
    for datatype in ("FP16", "BF16", "FP64", "COMPLEX64"):
        yield case(f"{datatype}: rounding", [1.0, 2.0], [1.0, 2.25], datatype), {"y": 1e-3}
    yield (
        ("rounding: of one output alone", {"a": array(near), "b": array(near)}, {"a": array(far), "b": array(far)}, {}, "same"),
        {"a": 1e-2},
    )


def quantised() -> Iterator[Quantised]:
    """Answers that are judged in steps of their scale."""
    scale = 0.00390625
    near = [[0.0, 0.25, 0.75]]

    def steps(name: str, answer: Any, allowed: int, reference: Any = near, **more: Any) -> Quantised:
        return case(f"steps: {name}", reference, answer, **more), {"y": Steps(scale=scale, allowed=allowed)}

    yield steps("none differs", near, 0)
    yield steps("one, one allowed", [[0.0, 0.25 + scale, 0.75]], 1)
    yield steps("one, none allowed", [[0.0, 0.25 + scale, 0.75]], 0)
    yield steps("two, one allowed", [[0.0, 0.25 + 2 * scale, 0.75]], 1)
    yield steps("168, one allowed", [[0.0, 0.25 + 168 * scale, 0.75]], 1)
    yield steps("the last places of a dequantised float beside one", [[0.0, 0.25 + scale * (1 + 2**-20), 0.75]], 1)
    yield steps("the only decision changes by one", [[0.25, 0.25 - scale, 0.2]], 1, [[0.25 - scale, 0.25, 0.2]])
    yield steps("every decision changes by one", [[0.25, 0.25 - scale], [0.1, 0.1 + scale]], 1, [[0.25 - scale, 0.25], [0.1 + scale, 0.1]])
    yield steps("the only decision changes by four", [[0.25, 0.25 - 4 * scale]], 1, [[0.25 - 4 * scale, 0.25]])
    yield steps("a given tolerance wins", [[0.0, 0.3, 0.75]], 0, FP32=Tolerance(atol=1.0))
    yield case("steps: of stored integers", [[-128, 5]], [[-127, 5]], "INT8"), {"y": Steps(scale=1, allowed=1)}
    yield case("steps: of stored integers, too many", [[-128, 5]], [[-126, 5]], "INT8"), {"y": Steps(scale=1, allowed=1)}
    yield case("steps: NaN in the same place", [NAN, 1.0], [NAN, 1.0 + scale]), {"y": Steps(scale=scale, allowed=1)}


def drawn() -> Iterator[Case]:
    """Numbers as they come, and a noise of every size on them."""
    random = np.random.default_rng(0)
    for datatype in [*FLOATS, "COMPLEX64", "COMPLEX128", "INT32", "UINT64"]:
        for size in (1e-8, 1e-6, 1e-3):
            scale = 1e18 if datatype == "UINT64" else 1e6 if datatype == "INT32" else 1.0
            values = random.uniform(0.1, 4, (4, 5)) * scale
            noise = 1 + size * random.standard_normal((4, 5))
            yield case(f"{datatype}: drawn, {size:g} of noise", array(values, datatype), array(values * noise, datatype))


def tensors(
    outputs: Tensors, rounding: Mapping[str, float] | None = None, steps: Mapping[str, Steps] | None = None
) -> list[dict[str, Any]]:
    """Outputs as the file has them."""
    return [
        {"name": n, "datatype": datatypes.of_array(a), "shape": list(a.shape), "hex": bytes(datatypes.encode(a)).hex()}
        | ({"rounding": rounding[n]} if rounding and n in rounding else {})
        | ({"scale": steps[n].scale, "steps": steps[n].allowed} if steps and n in steps else {})
        for n, a in outputs.items()
    ]


def main() -> None:
    """Print the file."""
    lines = []
    plain: list[tuple[Case, dict[str, float], dict[str, Steps]]] = [(one, {}, {}) for one in (*floats(), *numbers(), *others(), *drawn())]
    plain += [(one, rounding, {}) for one, rounding in rounded()] + [(one, {}, steps) for one, steps in quantised()]
    for (name, reference, answer, tolerance, nan), rounding, steps in plain:
        judged, _ = judge(reference, answer, Tolerances(tolerance), nan=nan, rounding=rounding, steps=steps)
        entry = {"name": name, "reference": tensors(reference, rounding, steps), "answer": tensors(answer)}
        entry |= {"tolerance": {k: t.model_dump() for k, t in tolerance.items()}, "nan": nan}
        lines.append(json.dumps(entry | {"agreement": judged.agreement, "metrics": judged.metrics, "reason": judged.reason}))
    print("[\n" + ",\n".join(lines) + "\n]")


if __name__ == "__main__":
    main()
