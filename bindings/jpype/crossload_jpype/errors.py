"""What Java throws as Python exceptions: each is a TensorFlowJavaError and the built-in exception that means the same."""

from __future__ import annotations

from typing import Any


class TensorFlowJavaError(Exception):
    """An error of TensorFlow Java: one sentence; `code` is its google.rpc.Code (google/rpc/code.proto)."""

    code = "UNKNOWN"


class InvalidArgument(TensorFlowJavaError, ValueError):
    """A value, name, datatype or shape that the model does not take."""

    code = "INVALID_ARGUMENT"


class NotFound(TensorFlowJavaError, LookupError):
    """A signature, operation or tag that the model does not have, or an op that this TensorFlow does not know."""

    code = "NOT_FOUND"


class Unimplemented(TensorFlowJavaError, NotImplementedError):
    """What this release of TensorFlow Java cannot do, a datatype without tensor type for one."""

    code = "UNIMPLEMENTED"


class ResourceExhausted(TensorFlowJavaError, MemoryError):
    """Memory that is not there."""

    code = "RESOURCE_EXHAUSTED"


class OutOfRange(TensorFlowJavaError, IndexError):
    """An index outside a tensor, as TensorFlow says it."""

    code = "OUT_OF_RANGE"


class ClosedError(TensorFlowJavaError, ValueError):
    """A model that was closed."""

    code = "FAILED_PRECONDITION"


class StartProblem(TensorFlowJavaError, RuntimeError):
    """A process that cannot have TensorFlow Java: no JVM, another JVM, another TensorFlow, a forked child."""

    code = "UNAVAILABLE"


_KINDS = {kind.code: kind for kind in (InvalidArgument, NotFound, Unimplemented, ResourceExhausted, OutOfRange)}


def of_java(error: Any) -> TensorFlowJavaError:
    """The exception for a Java one: io.crossload's carry a code; of the message, the first line with text."""
    code = str(error.code()) if hasattr(error, "code") else "INTERNAL"
    lines = [line.strip() for line in str(error.getMessage() or "").splitlines() if line.strip()]
    raised = _KINDS.get(code, TensorFlowJavaError)(lines[0] if lines else str(error.getClass().getSimpleName()))
    raised.code = code
    return raised
