"""Input values on the command line: an array's file, a literal, one of a few array makers, or tf.Examples; never `eval`.

`zeros(shape, dtype)`, `ones(shape, dtype)`, `full(shape, value, dtype)`, `arange(start, stop, step)`, `linspace(start, stop, n)`,
`random(shape, seed)` (uniform in [0, 1)), `normal(shape, seed)`. dtype is TensorFlow's name and may be left out, as may `np.`.
"""

from __future__ import annotations

import ast
import base64
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from crossload.contract import datatypes
from crossload.contract.signatures import TensorSpec
from crossload.errors import CrossloadError
from crossload.inputs.npz import from_npz, reason
from crossload.inputs.requests import kept
from crossload.inputs.tf_example import as_parsed, tf_example
from crossload.support.text import not_json, shortened

if TYPE_CHECKING:
    from crossload.inputs.domains import Feature

# An array of more than this many elements belongs in a file.
_MOST_ELEMENTS = 1 << 28
_MOST_QUOTED = 200


def value(text: str, spec: TensorSpec) -> np.ndarray:
    """The array that `text` means for this input; raises CrossloadError naming the input and the cause.

    Files are `FILE.npy`, `FILE.npz[KEY]`, or `FILE.npz` with one array. Literals take the input's datatype; a file
    keeps its own datatype. A string input takes text without quotes, `@FILE` (its bytes, or a text file's lines for a vector of strings)
    and `base64:…`.
    """
    if text.startswith(("@", "base64:")) and spec.datatype == "BYTES":
        return _strings(text, spec)
    if text.endswith(".npy"):
        return _file(Path(text), spec)
    if archive := re.fullmatch(r"(.+\.npz)(?:\[(.+)\])?", text, re.DOTALL):
        return _member(Path(archive[1]), archive[2], spec)
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        made = _maker(tree, spec) if isinstance(tree, ast.Call) else ast.literal_eval(tree)
    except CrossloadError:
        raise
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        if (parsed := _json(text, spec)) is not None:
            made = parsed
        elif spec.datatype == "BYTES":
            made = text  # a string input takes text without quotes
        else:
            raise CrossloadError(
                f"--input {spec.name}={shortened(text, _MOST_QUOTED)}: write a .npy or .npz file, a literal ([[1, 2]]) or a call "
                f"such as zeros([1, 4]){'' if 'node or string' in str(error) else f' ({error})'}"
            ) from error
    return _typed(made, spec, text)


def _strings(text: str, spec: TensorSpec) -> np.ndarray:
    """`@FILE`, its bytes, or for an input of rank 1 and more the lines of a text file; `base64:…`, the bytes of that code."""
    if text.startswith("base64:"):
        try:
            elements = [base64.b64decode(text.removeprefix("base64:"), validate=True)]
        except ValueError as error:
            raise CrossloadError(f"--input {spec.name}={text[:60]}: invalid base64 ({error})") from error
    else:
        try:
            data = Path(text[1:]).read_bytes()
        except (OSError, ValueError) as error:
            raise CrossloadError(
                f"--input {spec.name}={text}: cannot be read: {getattr(error, 'strerror', None) or error}; text that begins with @ takes "
                f"quotes: '{json.dumps(text)}'"
            ) from error
        elements = [data] if spec.shape == () or b"\0" in data or not _is_utf8(data) else [line.rstrip(b"\r") for line in _lines(data)]
    array = np.empty(len(elements), dtype=object)
    array[:] = elements
    rank = 0 if spec.shape is not None and not spec.shape else len(spec.shape or (0,))
    return array.reshape((len(elements), *[1] * (rank - 1)) if rank else ())


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _lines(data: bytes) -> list[bytes]:
    return data.removesuffix(b"\n").split(b"\n")


def _json(text: str, spec: TensorSpec) -> Any:
    """The value of JSON that is no literal of Python: true, false and null (NaN for a float input); None if it is not JSON."""
    try:
        made = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if spec.datatype == "BYTES":
        return made if isinstance(made, list) else None
    return _with_nan(made) if spec.datatype.startswith(("FP", "BF")) else made


def _with_nan(made: Any) -> Any:
    return [_with_nan(e) for e in made] if isinstance(made, list) else float("nan") if made is None else made


def _file(path: Path, spec: TensorSpec) -> np.ndarray:
    try:
        array = np.load(path, allow_pickle=False)
        if not isinstance(array, np.ndarray):
            raise ValueError("it is an .npz; give it that name")
    except Exception as error:  # a damaged file makes numpy.load raise a dozen kinds of errors
        raise CrossloadError(f"--input {spec.name}={path}: cannot be read as .npy: {reason(error)}; write it with numpy.save") from error
    return array


def _member(path: Path, key: str | None, spec: TensorSpec) -> np.ndarray:
    arrays = from_npz(path)
    there = ", ".join(arrays) or "none"
    if key is None and len(arrays) == 1:
        return next(iter(arrays.values()))
    if key is None:
        raise CrossloadError(f"--input {spec.name}={path}: name one of its arrays as {path}[KEY]; it has: {there}")
    if key not in arrays:
        raise CrossloadError(f"--input {spec.name}={path}[{key}]: the file has no array {key!r}; it has: {there}")
    return arrays[key]


def examples(text: str, spec: TensorSpec, features: Sequence[Feature] = ()) -> np.ndarray:
    """The serialised tf.Examples, a batch of strings, that `text` means for this input.

    `text` is a list of dicts from a feature's name to its values, as JSON or as Python's literal, or `@FILE` with such a list; in
    JSON `{"b64": "..."}` is bytes. `features` are those that the graph parses, which give the values' types.
    Raises CrossloadError naming the input, the example's number, the feature and the cause.
    """
    option = f"--input-examples {spec.name}"
    if spec.datatype != "BYTES":
        raise CrossloadError(f"{option}: the input is {datatypes.for_people(spec.datatype)}, but tf.Examples need a string input")
    where = option
    if text.startswith("@"):
        where = f"{option}: {text[1:]}"
        try:
            text = Path(text[1:]).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise CrossloadError(f"{where} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    listed = _dicts(text, where)
    array = np.empty(len(listed), dtype=object)
    for at, given in enumerate(listed):
        try:
            decoded = {name: _decoded(name, values) for name, values in given.items()}
            array[at] = tf_example(as_parsed(decoded, features) if features else decoded)
        except CrossloadError as error:
            raise CrossloadError(f"{option}, example {at}: {error}") from error
    return array.reshape(()) if spec.shape == () and array.size == 1 else array


def _dicts(text: str, option: str) -> list[dict[str, Any]]:
    try:
        listed = json.loads(text)
    except RecursionError as problem:
        raise CrossloadError(f'{option} {not_json(problem)}; write [{{"age": [30]}}, …]') from problem
    except ValueError as problem:
        try:
            listed = ast.literal_eval(text.strip())
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            raise CrossloadError(f'{option}: neither JSON ({problem}) nor a literal; write [{{"age": [30]}}, …]') from problem
    if not isinstance(listed, list) or not all(isinstance(e, dict) for e in listed):
        raise CrossloadError(f'{option}: write a list of dicts, one per example: [{{"age": [30], "name": ["x"]}}, …]')
    if not listed:
        raise CrossloadError(f"{option}: the list is empty; write at least one example")
    return listed


def _decoded(name: Any, values: Any) -> Any:
    """A feature's values with bytes in place of `{"b64": "..."}`, TensorFlow Serving's JSON form of bytes."""
    single = not isinstance(values, list)
    elements = [values] if single else values
    try:
        made = [base64.b64decode(e["b64"], validate=True) if isinstance(e, dict) and list(e) == ["b64"] else e for e in elements]
    except (TypeError, ValueError) as error:
        raise CrossloadError(f"the feature {name!r} has an invalid base64 value in b64 ({error})") from error
    return made[0] if single else made


def _maker(call: ast.Call, spec: TensorSpec) -> np.ndarray:
    function = call.func
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id in ("np", "numpy"):
        name = function.attr
    else:
        name = function.id if isinstance(function, ast.Name) else ""
    if name not in _MAKERS:
        raise CrossloadError(f"--input {spec.name}: unknown function {ast.unparse(call.func)!r}; known: {', '.join(_MAKERS)}")
    arguments = [_argument(a) for a in call.args]
    named = {k.arg: _argument(k.value) for k in call.keywords if k.arg}
    try:
        made = _MAKERS[name](*arguments, **named)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError, MemoryError) as error:
        raise CrossloadError(f"--input {spec.name}: {ast.unparse(call)}: {error}") from error
    return made


def _argument(node: ast.expr) -> Any:
    """A literal, or the name of a datatype: float32, np.float32."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("np", "numpy"):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ast.literal_eval(node)


def _typed(made: Any, spec: TensorSpec, text: str) -> np.ndarray:
    dtype = datatypes.numpy_dtype(spec.datatype)
    try:
        if spec.datatype == "BYTES":
            array = np.array(made, dtype=object)
            if strange := next((e for e in array.ravel() if not isinstance(e, str | bytes)), None):
                raise ValueError(f"the input takes strings, not {type(strange).__name__}: put text in quotes, {json.dumps(str(strange))}")
            return np.vectorize(lambda e: e if isinstance(e, bytes) else str(e).encode(), otypes=[object])(array) if array.size else array
        array = made if isinstance(made, np.ndarray) else np.array(made)
        if array.dtype.kind in "OSU":
            raise ValueError("text and ragged lists are not numbers")
        exact = "INT" in spec.datatype or spec.datatype == "BOOL" or (array.dtype.kind == "c" and dtype.kind != "c")
        if exact and not kept(array, dtype):
            from crossload.inputs import quantization

            raise ValueError(f"does not fit {datatypes.for_people(spec.datatype)}{quantization.hint(spec, array)}")
        typed = array.astype(dtype)
    except (ValueError, TypeError, OverflowError) as error:
        raise CrossloadError(f"--input {spec.name}={text}: {error}") from error
    return typed


def _shape(shape: Any) -> tuple[int, ...]:
    dimensions = (shape,) if isinstance(shape, int) else tuple(shape)
    if any(not isinstance(d, int) or d < 0 for d in dimensions) or np.prod(dimensions, dtype=object) > _MOST_ELEMENTS:
        raise ValueError(f"{shape!r} is not a shape that fits the command line (at most {_MOST_ELEMENTS} elements)")
    return dimensions


def _dtype(name: str | None) -> np.dtype:
    try:
        return datatypes.numpy_dtype(datatypes.from_tensorflow(name)) if name else np.dtype(np.float64)
    except KeyError:
        raise ValueError(f"unknown datatype {name!r}") from None


def _range(start: float, stop: float | None = None, step: float = 1) -> np.ndarray:
    first, last = (0, start) if stop is None else (start, stop)
    _shape(max(0, int((last - first) / step)))
    return np.arange(first, last, step)


_MAKERS: dict[str, Callable[..., np.ndarray]] = {
    "zeros": lambda shape, dtype=None: np.zeros(_shape(shape), _dtype(dtype)),
    "ones": lambda shape, dtype=None: np.ones(_shape(shape), _dtype(dtype)),
    "full": lambda shape, value, dtype=None: np.full(_shape(shape), value, None if dtype is None else _dtype(dtype)),
    "arange": _range,
    "linspace": lambda start, stop, n=50: np.linspace(start, stop, num=_shape(n)[0]),
    "random": lambda shape, seed=0: np.random.default_rng(seed).random(_shape(shape)),
    "normal": lambda shape, seed=0: np.random.default_rng(seed).standard_normal(_shape(shape)),
}
