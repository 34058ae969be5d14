"""tf.Example without TensorFlow: features as Python values to bytes and back (tensorflow/core/example/example.proto, feature.proto)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from crossload.errors import CrossloadError
from crossload.support.once import once

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
