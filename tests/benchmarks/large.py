"""Graphs of many nodes, many functions, a large variable, and thousands of small files."""

from __future__ import annotations

import shutil
from pathlib import Path

from crossload.artifacts.messages import message_class

FLOAT = 1


def chain(file: Path, nodes: int) -> None:
    """A graph in which every second node adds a constant to the sum so far."""
    graph = message_class("tensorflow.GraphDef")()
    graph.versions.producer = 1987
    graph.node.add(name="x", op="Placeholder").attr["dtype"].type = FLOAT
    last = "x"
    for at in range(nodes // 2):
        constant = graph.node.add(name=f"layer_{at}/c", op="Const")
        constant.attr["dtype"].type = FLOAT
        value = constant.attr["value"].tensor
        value.dtype = FLOAT
        value.tensor_shape.dim.add(size=4)
        value.float_val.append(1.0)
        total = graph.node.add(name=f"layer_{at}/add", op="AddV2", input=[last, constant.name])
        total.attr["T"].type = FLOAT
        last = total.name
    file.write_bytes(graph.SerializeToString())


def calls(file: Path, functions: int) -> None:
    """A graph that calls functions of ten nodes one after the other."""
    graph = message_class("tensorflow.GraphDef")()
    graph.versions.producer = 1987
    graph.node.add(name="x", op="Placeholder").attr["dtype"].type = FLOAT
    last = "x"
    for at in range(functions):
        function = graph.library.function.add()
        function.signature.name = f"__inference_f_{at}"
        function.signature.input_arg.add(name="a", type=FLOAT)
        function.signature.output_arg.add(name="o", type=FLOAT)
        inner = "a"
        for number in range(10):
            node = function.node_def.add(name=f"add_{number}", op="AddV2", input=[inner, "a"])
            node.attr["T"].type = FLOAT
            inner = f"add_{number}:z:0"
        function.ret["o"] = inner
        call = graph.node.add(name=f"call_{at}", op="PartitionedCall", input=[last])
        call.attr["f"].func.name = function.signature.name
        call.attr["Tin"].list.type.append(FLOAT)
        call.attr["Tout"].list.type.append(FLOAT)
        last = call.name
    file.write_bytes(graph.SerializeToString())


def copies(source: Path, folder: Path, count: int) -> None:
    """A folder of copies of a file."""
    folder.mkdir()
    for number in range(count):
        shutil.copy(source, folder / f"{number:05}{source.suffix}")
