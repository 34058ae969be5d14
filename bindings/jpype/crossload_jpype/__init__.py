"""TensorFlow Java inside a Python process: SavedModels and graphs, NumPy in and out.

from crossload_jpype import SavedModelBundle

with SavedModelBundle.load("saved_model") as bundle:
    probabilities = bundle["serving_default"](pixels=images)["probabilities"]
"""

from crossload_jpype.errors import (
    ClosedError,
    InvalidArgument,
    NotFound,
    OutOfRange,
    ResourceExhausted,
    StartProblem,
    TensorFlowJavaError,
    Unimplemented,
)
from crossload_jpype.jvm import start, versions
from crossload_jpype.models import Graph, Operation, SavedModelBundle, Session, Signature, TensorInfo

__all__ = [
    "ClosedError",
    "Graph",
    "InvalidArgument",
    "NotFound",
    "Operation",
    "OutOfRange",
    "ResourceExhausted",
    "SavedModelBundle",
    "Session",
    "Signature",
    "StartProblem",
    "TensorFlowJavaError",
    "TensorInfo",
    "Unimplemented",
    "start",
    "versions",
]
