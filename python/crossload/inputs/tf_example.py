"""tf.Example without TensorFlow: features as Python values to bytes and back (tensorflow/core/example/example.proto, feature.proto)."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from crossload.contract.datatypes import for_people
from crossload.errors import CrossloadError
from crossload.support.once import once
from crossload.support.text import near

if TYPE_CHECKING:
    from crossload.inputs.domains import Feature

_INT64 = range(-(1 << 63), 1 << 63)


def tf_example(features: Mapping[str, Any]) -> bytes:
    """A serialised tf.Example; the same features in any order give the same bytes.

    A feature is a flat list (a tuple, a one-dimensional array) or a single value. Integers and booleans become an int64_list, lists
    with a float a float_list (float32: further digits are lost), text and bytes a bytes_list. An empty list has no kind, so it becomes
    a feature without values.
    Raises CrossloadError naming the feature and the cause.
    """
    message = _messages()["Example"]()
    for name, values in features.items():
        if not isinstance(name, str) or not _is_utf8(name):
            raise CrossloadError(f"the feature {name!r}: a feature's name must be text that UTF-8 can encode")
        _fill(message.features.feature[name], name, values)
    return bytes(message.SerializeToString(deterministic=True))


def as_parsed(given: Mapping[str, Any], features: Sequence[Feature]) -> dict[str, Any]:
    """The features of an example with the types that the graph parses them as: integers for a float feature become floats.

    Raises CrossloadError for a feature that the graph does not parse, with near names, one that it needs and that is missing, and
    values of another kind or number than it takes.
    """
    known = {f.name: f for f in features}
    for name in given:
        if isinstance(name, str) and name not in known:
            raise CrossloadError(f"the graph parses no feature {name!r}{near(name, known)}; it parses: {', '.join(known)}")
    if missing := [f.name for f in features if f.shape is not None and f.default is None and f.name not in given]:
        raise CrossloadError(f"the feature {missing[0]!r} is missing: {described(known[missing[0]])}")
    return {name: _as_parsed(known[name], values) for name, values in given.items()}


def described(feature: Feature) -> str:
    """A feature in a few words: its datatype, its number of values, its default."""
    kind = for_people(feature.datatype)
    if feature.shape is None:
        return f"{kind}, any number of values"
    size = prod(feature.shape)
    many = "any number of values" if size < 0 else f"{size} value{'s' * (size != 1)}"
    default = "required" if feature.default is None else f"default {', '.join(map(repr, feature.default[:4]))}"
    return f"{kind}, {many}, {default}"


def sample(features: Sequence[Feature]) -> dict[str, list[Any]]:
    """An example that the graph parses: every feature that it needs, with zeros and empty strings."""
    nothing = {"FP32": 0.0, "BYTES": ""}
    return {f.name: [nothing.get(f.datatype, 0)] * max(1, prod(f.shape)) for f in features if f.shape is not None and f.default is None}


def _as_parsed(feature: Feature, values: Any) -> Any:
    values = values.tolist() if hasattr(values, "tolist") else values
    listed = list(values) if isinstance(values, list | tuple) else [values]
    if feature.shape is not None and (size := prod(feature.shape)) >= 0 and len(listed) != size and (listed or feature.default is None):
        raise CrossloadError(f"the feature {feature.name!r} has {len(listed)} values, and the graph takes {size}")
    is_text = feature.datatype == "BYTES"
    if strange := next((v for v in listed if isinstance(v, str | bytes) != is_text), None):
        raise CrossloadError(f"the feature {feature.name!r} is {for_people(feature.datatype)} in the graph, and {strange!r} was given")
    if feature.datatype == "FP32":
        return [float(v) if isinstance(v, int) else v for v in listed]
    if feature.datatype == "INT64":
        if strange := next((v for v in listed if isinstance(v, float) and not v.is_integer()), None):
            raise CrossloadError(f"the feature {feature.name!r} is int64 in the graph, and {strange!r} was given")
        return [int(v) if isinstance(v, float) else v for v in listed]
    return listed


def features_of(example: bytes) -> dict[str, list[Any]]:
    """The features of a serialised tf.Example, by name in the names' order: lists of float, of int, or of bytes.

    Raises CrossloadError for bytes that are not a tf.Example.
    """
    from google.protobuf.message import DecodeError

    try:
        features = _messages()["Example"].FromString(example).features.feature
    except DecodeError as error:
        raise CrossloadError(f"{example[:20]!r} is not a serialised tf.Example") from error
    return {name: _values(features[name]) for name in sorted(features)}


def is_example(data: bytes) -> bool:
    """Whether these bytes are exactly a serialised tf.Example."""
    from google.protobuf.message import DecodeError

    try:
        message = _messages()["Example"].FromString(data)
    except DecodeError:
        return False
    message.DiscardUnknownFields()
    return len(message.SerializeToString()) == len(data)


@once
def _messages() -> dict[str, Any]:
    from crossload.artifacts.declaration import declare

    return declare(
        "crossload.example",
        {
            "BytesList": [("value", 1, ["bytes"])],
            "FloatList": [("value", 1, ["float"])],
            "Int64List": [("value", 1, ["int64"])],
            "Feature": [("bytes_list", 1, "BytesList"), ("float_list", 2, "FloatList"), ("int64_list", 3, "Int64List")],
            "Features": [("feature", 1, {"string": "Feature"})],
            "Example": [("features", 1, "Features")],
        },
        oneofs={"Feature": "kind"},
    )


def _fill(feature: Any, name: str, values: Any) -> None:
    """Set a Feature's list; raises CrossloadError."""
    if hasattr(values, "tolist"):  # NumPy's arrays and scalars: convert the elements to Python's
        values = values.tolist()
    if not isinstance(values, list | tuple):
        values = [values]
    values = [v.tolist() if hasattr(v, "tolist") else v for v in values]
    if all(isinstance(v, str | bytes) for v in values):
        feature.SetInParent()
        if values:
            feature.bytes_list.value.extend(_as_bytes(name, v) for v in values)
    elif all(isinstance(v, int) for v in values):
        if any(v not in _INT64 for v in values):
            raise CrossloadError(f"the feature {name!r} has a number that does not fit into int64")
        feature.int64_list.value.extend(int(v) for v in values)
    elif all(isinstance(v, int | float) for v in values):
        feature.float_list.value.extend(_float32(name, v) for v in values)
    else:
        kinds = ", ".join(sorted({type(v).__name__ for v in values}))
        raise CrossloadError(f"the feature {name!r} has elements of {kinds}; a feature is a flat list of numbers, or of text and bytes")


def _float32(name: str, value: float) -> float:
    """The number unchanged; raises CrossloadError for a finite one that would become infinite."""
    try:
        struct.pack("<f", value)
    except (OverflowError, struct.error):
        raise CrossloadError(f"the feature {name!r} has a number that does not fit into float32") from None
    return float(value)


def _as_bytes(name: str, value: str | bytes) -> bytes:
    try:
        return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    except UnicodeEncodeError:
        raise CrossloadError(f"the feature {name!r} has text that UTF-8 cannot encode") from None


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _values(feature: Any) -> list[Any]:
    kind = feature.WhichOneof("kind")
    return list(getattr(feature, kind).value) if kind else []
