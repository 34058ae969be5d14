"""Java's exceptions in Python: each is a TensorFlowJavaError and the built-in exception of the same meaning."""

from __future__ import annotations

from typing import Any


class TensorFlowJavaError(Exception):
    """An error of TensorFlow Java: one sentence; `code` is its google.rpc.Code (google/rpc/code.proto)."""

    code = "UNKNOWN"


class InvalidArgument(TensorFlowJavaError, ValueError):
    """A value, name, datatype or shape that the model does not accept."""

    code = "INVALID_ARGUMENT"


class NotFound(TensorFlowJavaError, LookupError):
    """A signature, operation or tag that the model does not have, or an op that this TensorFlow does not know."""

    code = "NOT_FOUND"


class Unimplemented(TensorFlowJavaError, NotImplementedError):
    """Something that this release of TensorFlow Java cannot do, such as a datatype without a tensor type."""

    code = "UNIMPLEMENTED"


class ResourceExhausted(TensorFlowJavaError, MemoryError):
    """Not enough memory."""

    code = "RESOURCE_EXHAUSTED"


class OutOfRange(TensorFlowJavaError, IndexError):
    """An index outside a tensor, reported by TensorFlow."""

    code = "OUT_OF_RANGE"


class ClosedError(TensorFlowJavaError, ValueError):
    """A model that was closed."""

    code = "FAILED_PRECONDITION"


class StartProblem(TensorFlowJavaError, RuntimeError):
    """A process that cannot have TensorFlow Java: no JVM, another JVM, another TensorFlow, a forked child."""

    code = "UNAVAILABLE"


_KINDS = {kind.code: kind for kind in (InvalidArgument, NotFound, Unimplemented, ResourceExhausted, OutOfRange)}


def of_java(error: Any) -> TensorFlowJavaError:
    """The Python exception for a Java one: io.crossload's have a code; the message is the first line with text."""
    code = str(error.code()) if hasattr(error, "code") else "INTERNAL"
    lines = [line.strip() for line in str(error.getMessage() or "").splitlines() if line.strip()]
    raised = _KINDS.get(code, TensorFlowJavaError)(lines[0] if lines else str(error.getClass().getSimpleName()))
    raised.code = code
    return raised
