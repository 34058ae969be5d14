"""Prints the results of frozen_function on a small graph as JSON: `use_frozen_functions.py FOLDER`, with TensorFlow."""

import json
import sys
from pathlib import Path

import tensorflow as tf

from crossload.tf_process.frozen_function import frozen_function

v1 = tf.compat.v1


def main(folder):
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 2], name="x")
        scale = v1.placeholder(tf.float32, [], name="scale")
        hidden = tf.nn.relu(tf.matmul(x, tf.constant([[1.0, -1.0], [2.0, 0.5]]), name="product"), name="block/hidden")
        tf.identity(hidden * scale, name="scaled")
    file = folder / "graph.pb"
    file.write_bytes(graph.as_graph_def().SerializeToString())
    (folder / "none.pb").write_text("no graph")
    rows = tf.constant([[1.0, 2.0], [0.0, 2.0]])
    hidden = frozen_function(file, "x", "block/hidden:0")
    named = frozen_function(file, ["x", "scale"], {"features": "block/hidden", "scores": "scaled:0"})
    with tf.GradientTape() as tape:
        tape.watch(rows)
        total = tf.reduce_sum(hidden(rows))

    class Net(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 2], name="x")])
        def __call__(self, x):
            return hidden(x) + 1.0

    tf.saved_model.save(Net(), str(folder / "net"))
    result = {
        "one": hidden(rows).numpy().tolist(),
        "listed": [t.numpy().tolist() for t in frozen_function(file, ["x"], ["product", "block/hidden"])(rows)],
        "named": {n: t.numpy().tolist() for n, t in named(rows, 3.0).items()},
        "from_inside": frozen_function(file, "product", "block/hidden")(rows - 1.0).numpy().tolist(),
        "gradient": tape.gradient(total, rows).numpy().tolist(),
        "saved": tf.saved_model.load(str(folder / "net"))(rows).numpy().tolist(),
    }
    for name, call in {
        "misspelt": lambda: frozen_function(file, "x", "block/hiden"),
        "index": lambda: frozen_function(file, "x", "product:1"),
        "open": lambda: frozen_function(file, "x", "scaled"),
        "number": lambda: hidden(rows, rows),
        "no_graph": lambda: frozen_function(folder / "none.pb", "x", "y"),
    }.items():
        try:
            call()
        except Exception as error:
            result[name] = f"{type(error).__name__}: {error}"
    print(json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
