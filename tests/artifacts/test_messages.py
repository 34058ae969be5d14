"""The classes of TensorFlow's messages."""

import os
import subprocess
import sys

import pytest

from crossload.artifacts.messages import DECLARATIONS, message_class

from .declarations import extracted

GRAPH = """
from crossload.artifacts.messages import message_class
graph = message_class("tensorflow.GraphDef")()
graph.node.add(name="n", op="Const").attr["value"].tensor.int_val.extend([1, 2])
print(graph.SerializeToString().hex())
"""


def test_the_declarations_are_tensorboards_under_tensorflows_names() -> None:
    assert DECLARATIONS.read_bytes() == extracted(), "make messages"


def test_a_class_is_the_one_that_its_field_holds() -> None:
    graph = message_class("tensorflow.GraphDef")()
    assert type(graph.node.add()) is message_class("tensorflow.NodeDef")
    assert type(message_class("tensorflow.SavedModel")().meta_graphs.add().graph_def) is type(graph)


def test_an_undeclared_message_is_no_class() -> None:
    with pytest.raises(KeyError):
        message_class("tensorflow.Nothing")


def test_tensorflows_own_classes_may_live_in_the_same_process() -> None:
    """TensorBoard's are declared in protobuf's default pool, as TensorFlow's are; both before and after crossload's."""
    for imports in (GRAPH + "from tensorboard.compat.proto import graph_pb2", "from tensorboard.compat.proto import graph_pb2" + GRAPH):
        assert _run(imports) == _run(GRAPH)


def test_protobuf_without_its_c_library_writes_the_same_bytes() -> None:
    without = "import sys; sys.modules['google._upb._message'] = None\n"
    assert _run(without + GRAPH, PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION="python") == _run(GRAPH)


def _run(program: str, **environment: str) -> str:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ | environment).stdout
