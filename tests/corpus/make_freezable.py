# /// script
# requires-python = ">=3.10,<3.14"
# dependencies = ["tensorflow-cpu==2.21.0"]
# ///
"""Models whose variables are used in every way that freezing must understand: `python make_freezable.py FOLDER`, with TensorFlow."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
MODELS: dict[str, Callable[[Path], None]] = {}
X = tf.TensorSpec([None, 3], tf.float32, "x")
IDS = tf.TensorSpec([None], tf.int64, "ids")


def model(maker: Callable[[Path], None]) -> Callable[[Path], None]:
    """Register a maker under its name: it writes a SavedModel, or the folder of a checkpoint, to a given path."""
    MODELS[maker.__name__] = maker
    return maker


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def saved(path: Path, serve: Callable[..., object], *specs: tf.TensorSpec, **variables: tf.Variable) -> None:
    """A module with these variables, and the function as its only signature."""
    module = tf.Module()
    for name, variable in variables.items():
        setattr(module, name, variable)
    module.serve = tf.function(serve, input_signature=list(specs))
    tf.saved_model.save(module, str(path), signatures=module.serve.get_concrete_function())


@model
def embedding(path: Path) -> None:
    """Rows gathered from a variable, by one index and by two."""
    table = tf.Variable(numbers(7, 3))

    def serve(ids):
        at = tf.math.floormod(ids, 7)
        pairs = tf.stack([at, tf.zeros_like(at)], 1)
        return {"rows": tf.gather(table, at), "first": tf.raw_ops.ResourceGatherNd(resource=table.handle, indices=pairs, dtype=tf.float32)}

    saved(path, serve, IDS, table=table)


@model
def word_table(path: Path) -> None:
    """Twelve words looked up in a table that is filled from constants, a row of a variable for each."""
    words = tf.constant([f"word{at}" for at in range(12)])
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(words, tf.range(12, dtype=tf.int64)), -1)
    rows = tf.Variable(numbers(13, 3))
    saved(
        path,
        lambda x: {"rows": tf.gather(rows, table.lookup(x) + 1)},
        tf.TensorSpec([None], tf.string, name="words"),
        rows=rows,
        table=table,
    )


@model
def shape_of_a_variable(path: Path) -> None:
    """The shape of a variable, asked without reading it."""
    table = tf.Variable(numbers(7, 3))
    saved(path, lambda x: {"y": x + tf.cast(tf.raw_ops.VariableShape(input=table.handle)[1], tf.float32)}, X, table=table)


@model
def branches(path: Path) -> None:
    """Variables read in the branches of tf.cond, one of them in a function that a branch calls, and one gathered from."""
    left, right, rows = tf.Variable(numbers(3, 2)), tf.Variable(numbers(3, 2) + 1), tf.Variable(numbers(4, 2))

    @tf.function
    def inner(x):
        return x @ right

    def serve(x):
        return {"y": tf.cond(tf.reduce_sum(x) > 0, lambda: x @ left, lambda: inner(x) - tf.gather(rows, [1]))}

    saved(path, serve, X, left=left, right=right, rows=rows)


@model
def loop(path: Path) -> None:
    """A variable read in the body of tf.while_loop, another in its condition."""
    kernel, most = tf.Variable(numbers(3, 3) / 2), tf.Variable(4)

    def serve(x):
        return {"y": tf.while_loop(lambda i, _: i < most, lambda i, y: (i + 1, tf.tanh(y @ kernel)), (0, x))[1]}

    saved(path, serve, X, kernel=kernel, most=most)


@model
def recurrent(path: Path) -> None:
    """Keras's LSTM and GRU: loops over the steps."""
    import keras

    keras.utils.set_random_seed(1)
    x = keras.Input((5, 3), name="x")
    y = keras.layers.Dense(2, name="y")(keras.layers.GRU(4)(keras.layers.LSTM(4, return_sequences=True)(x)))
    keras.Model(x, y).export(str(path), verbose=False)


@model
def assertion(path: Path) -> None:
    """A function that checks its input: the check must still fail after freezing."""
    factor = tf.Variable(2.0)

    def serve(x):
        tf.debugging.Assert(tf.reduce_all(x < 1e30), ["too large"])
        return {"y": factor * x}

    saved(path, serve, X, factor=factor)


@model
def counter(path: Path) -> None:
    """A variable that each call changes: no frozen graph can do that."""
    calls = tf.Variable(0.0)
    saved(path, lambda x: {"y": x + calls.assign_add(1.0)}, X, calls=calls)


@model
def several_results(path: Path) -> None:
    """One call with several results, one of which is the input; constants of many datatypes as variables."""
    names = ("bool", "int8", "uint16", "int64", "float16", "bfloat16", "float64", "complex64")
    variables = {f"v_{n}": tf.Variable(tf.cast([0, 1, 3], n)) for n in names}
    words = tf.Variable(["", "a", "b\0c"])

    def serve(x):
        return {"x": x, "words": tf.identity(words), **{n: tf.identity(v) for n, v in variables.items()}}

    saved(path, serve, X, words=words, **variables)


def checkpoint(path: Path, build: Callable[[], tuple[tf.Tensor, tf.Tensor]], use_resource: bool, **saver: object) -> None:
    """A checkpoint of TensorFlow 1 with its .meta, whose signature is the tensors that `build` returns."""
    with tf.Graph().as_default(), v1.Session() as session, v1.variable_scope("", use_resource=use_resource):
        x, y = build()
        session.run(v1.global_variables_initializer())
        path.mkdir()
        prefix = v1.train.Saver(save_relative_paths=True, **saver).save(session, str(path / "model.ckpt"), global_step=3)
        meta_graph = v1.MetaGraphDef.FromString(Path(f"{prefix}.meta").read_bytes())
        definition = v1.saved_model.predict_signature_def({"x": x}, {"y": y})
        meta_graph.signature_def["serving_default"].CopyFrom(definition)
        Path(f"{prefix}.meta").write_bytes(meta_graph.SerializeToString())


def layers(partitioned: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
    """Two layers, the first with a kernel in parts if asked, and a moving average that training would update."""
    x = v1.placeholder(tf.float32, [None, 4], "x")
    parts = v1.fixed_size_partitioner(3) if partitioned else None
    kernel = v1.get_variable("hidden/kernel", [4, 6], initializer=v1.random_normal_initializer(seed=1), partitioner=parts)
    hidden = tf.tanh(x @ tf.convert_to_tensor(kernel))
    mean = v1.get_variable("mean", initializer=np.zeros(6, np.float32), trainable=False)
    v1.assign(mean, mean * 0.9 + tf.reduce_mean(hidden, 0) * 0.1, name="update")
    return x, tf.nn.softmax((hidden - mean) @ v1.get_variable("head/kernel", initializer=numbers(6, 3)), name="probabilities")


@model
def checkpoint_references(path: Path) -> None:
    """Reference variables, and an operation that would update one."""
    checkpoint(path, layers, use_resource=False)


@model
def checkpoint_resources(path: Path) -> None:
    """Resource variables in several shards."""
    checkpoint(path, layers, use_resource=True, sharded=True)


@model
def checkpoint_parts(path: Path) -> None:
    """A partitioned variable: each part is a slice of the checkpoint's tensor."""
    checkpoint(path, lambda: layers(partitioned=True), use_resource=False)


def conditional() -> tuple[tf.Tensor, tf.Tensor]:
    """Both kinds of control flow of TensorFlow 1 over variables."""
    x = v1.placeholder(tf.float32, [None, 3], "x")
    scale, shift = v1.get_variable("scale", initializer=numbers(3)), v1.get_variable("shift", initializer=numbers(3))
    chosen = v1.cond(tf.reduce_sum(x) > 0, lambda: x * scale, lambda: x - shift)
    return x, v1.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, tf.tanh(y) * scale), (0, chosen))[1]


@model
def checkpoint_branches(path: Path) -> None:
    """Reference variables in Switch and Enter."""
    v1.disable_control_flow_v2()
    checkpoint(path, conditional, use_resource=False)
    v1.enable_control_flow_v2()


@model
def checkpoint_branches_resources(path: Path) -> None:
    """Handles of variables in Switch and Enter."""
    v1.disable_control_flow_v2()
    checkpoint(path, conditional, use_resource=True)
    v1.enable_control_flow_v2()


def main(folder: Path) -> None:
    """Make all models; an existing one is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, maker in MODELS.items():
        if not (folder / name).exists():
            maker(folder / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
