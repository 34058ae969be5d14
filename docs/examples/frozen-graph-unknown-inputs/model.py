# /// script
# requires-python = ">=3.10,<3.14"
# dependencies = ["tensorflow-cpu==2.21.0", "keras==3.15.1"]
# ///
"""The author nobody can ask any more: builds and trains a graph, names nothing, freezes it, and leaves training nodes in the file."""

from pathlib import Path

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1


def freeze() -> dict[str, object]:
    """Writes unknown.pb: four measurements of a flower in, three classes out. Returns the graph, as `crossload export` asks."""
    random = np.random.default_rng(0)
    kinds = random.integers(0, 3, 300)
    typical = np.array([[5.0, 3.4, 1.5, 0.2], [6.0, 2.8, 4.3, 1.3], [6.6, 3.0, 5.6, 2.0]])
    flowers = (typical[kinds] + random.normal(0, 0.4, (300, 4))).astype(np.float32)
    session = v1.Session(graph=tf.Graph())
    with session.graph.as_default():
        v1.set_random_seed(0)
        x, keep, labels = v1.placeholder(tf.float32, [None, 4]), v1.placeholder_with_default(1.0, []), v1.placeholder(tf.int32, [None])
        hidden = tf.nn.relu(tf.matmul(x, v1.get_variable("w1", [4, 8])) + v1.get_variable("b1", [8]))
        logits = tf.matmul(hidden * keep, v1.get_variable("w2", [8, 3])) + v1.get_variable("b2", [3])
        scores = tf.nn.softmax(logits)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
        learn = v1.train.AdamOptimizer(0.03).minimize(loss)
        session.run(v1.global_variables_initializer())
        for _ in range(200):
            session.run(learn, {x: flowers, labels: kinds})
        kept = [scores.op.name, loss.op.name]
        frozen = v1.graph_util.convert_variables_to_constants(session, session.graph.as_graph_def(), kept)
    Path(__file__).with_name("unknown.pb").write_bytes(frozen.SerializeToString())
    return {"inputs": {"x": x}, "outputs": {"scores": scores}, "session": session}
