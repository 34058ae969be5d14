"""Models as in TensorFlow 1: without attributes at their defaults, and without newer ops. `python make_v1_models.py OUTDIR`.

A separate process: TensorFlow is imported here and never in the tests themselves.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

v1 = tf.compat.v1
DATATYPES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "bfloat16", "float32", "float64", "complex64", "complex128", "string"),
)


def frozen(path: Path) -> None:
    """y = max(x · w + 1, 0), its constants in the graph."""
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 3], "x")
        w = tf.constant(np.arange(6, dtype=np.float32).reshape(3, 2) / 7, name="w")
        tf.nn.relu(tf.matmul(x, w, name="product") + 1.0, "y")
    graph_def = graph.as_graph_def()
    _without_younger_attributes(graph_def)
    path.write_bytes(graph_def.SerializeToString())


def _without_younger_attributes(graph_def: v1.GraphDef) -> None:
    """Remove the attributes that TensorFlow 2 added to MatMul and VarHandleOp."""
    for node in graph_def.node:
        for attribute in ("grad_a", "grad_b", "debug_name"):
            node.attr.pop(attribute, None)


def saved_model(path: Path) -> None:
    """Variables of both kinds, and signatures of several inputs, of strings, and of each datatype."""
    signatures = {}
    with tf.Graph().as_default(), v1.Session() as session:
        x, factor = v1.placeholder(tf.float32, [None, 3], "x"), v1.placeholder(tf.float32, [], "factor")
        pick = v1.placeholder(tf.int32, [None], "pick")
        reference = v1.get_variable("reference", initializer=2.0, use_resource=False)
        resource = v1.get_variable("resource", initializer=[1.0, -1.0, 0.5], use_resource=True)
        scaled = tf.add(x * reference, resource * factor, "scaled")
        picked = tf.gather(tf.constant([10, 20, 30], tf.int64), tf.math.floormod(pick, 3), name="picked")
        signatures["several_inputs"] = _signature({"x": x, "factor": factor, "pick": pick}, {"scaled": scaled, "picked": picked})
        for name in DATATYPES:
            given = v1.placeholder(tf.dtypes.as_dtype(name), None, f"given_{name}")
            signatures[name] = _signature({"x": given}, {"y": tf.identity(given, f"same_{name}")})
        words = v1.placeholder(tf.string, [None], "words")
        signatures["strings"] = _signature(
            {"words": words}, {"joined": tf.strings.join([words, words], "-"), "length": tf.strings.length(words)}
        )
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(session, ["serve"], signatures, strip_default_attrs=True)
        builder.save()
    file = path / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    _without_younger_attributes(saved.meta_graphs[0].graph_def)
    file.write_bytes(saved.SerializeToString())


def _signature(inputs: dict[str, tf.Tensor], outputs: dict[str, tf.Tensor]) -> object:
    infos = ({k: v1.saved_model.build_tensor_info(t) for k, t in named.items()} for named in (inputs, outputs))
    return v1.saved_model.build_signature_def(*infos, "tensorflow/serving/predict")


if __name__ == "__main__":
    frozen(Path(sys.argv[1]) / "v1_frozen.pb")
    saved_model(Path(sys.argv[1]) / "v1_saved_model")
