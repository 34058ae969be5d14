"""A graph with inputs and outputs that need a bridge."""

from __future__ import annotations

from typing import Any

from crossload.artifacts.messages import message_class
from crossload.contract.datatypes import DATATYPES
from tests.corpus.handmade import node

INT8, INT32, FLOAT, COMPLEX64 = (DATATYPES[d].enum for d in ("INT8", "INT32", "FP32", "COMPLEX64"))


def graph() -> Any:
    """Two inputs, one of int8; two outputs, one of int8 and one of complex64."""
    made = message_class("tensorflow.GraphDef")()
    made.versions.producer = 2474
    node(made.node, "x", "Placeholder", shape=(-1, 4), dtype=INT8)
    node(made.node, "f", "Placeholder", shape=(), dtype=FLOAT)
    node(made.node, "y", "Neg", "x", T=INT8)
    node(made.node, "polar", "Polar", "x", "f", T=INT8, Tout=[FLOAT, COMPLEX64])
    return made
