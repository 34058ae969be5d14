"""Sources in TensorFlow 1 style for the tests of export: graphs, sessions, several MetaGraphs."""

import tempfile
from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf


def _graph(scale=1.0):
    """A linear model with fixed tensor names."""
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    weights = tf.get_variable("weights", initializer=tf.constant([[0.1, -0.2], [0.3, 0.4], [-0.5, 0.6]]))
    bias = tf.get_variable("bias", initializer=tf.constant([1.0, -1.0]))
    step = tf.get_variable("global_step", initializer=tf.constant(7, tf.int64), trainable=False)
    logits = tf.add(tf.matmul(x, weights), bias * scale, name="logits")
    return x, logits, tf.nn.softmax(logits, name="probabilities"), step


def rebuilt():
    """Only the graph: its variables have no values."""
    with tf.Graph().as_default():
        x, logits, probabilities, _ = _graph()
        return {"inputs": {"x": x}, "outputs": {"logits": logits, "probabilities": probabilities}}


def trained():
    """A live session, after two steps of gradient descent."""
    with tf.Graph().as_default():
        x, logits, probabilities, step = _graph()
        train = tf.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_mean(tf.square(logits)), global_step=step)
        session = tf.Session()
        session.run(tf.global_variables_initializer())
        for _ in range(2):
            session.run(train, {x: np.arange(6, dtype=np.float32).reshape(2, 3)})
        return {"session": session, "inputs": {"x": x}, "outputs": {"probabilities": probabilities}}


def several():
    """Two MetaGraphs; the first with a predict, a classify, a regress and a custom-method signature."""
    with tf.Graph().as_default():
        examples = tf.placeholder(tf.string, [None], name="examples")
        parsed = tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([3], tf.float32)})["x"]
        x, logits, probabilities, _ = _graph()
        scores = tf.nn.softmax(tf.matmul(parsed, tf.constant([[0.1, -0.2], [0.3, 0.4], [-0.5, 0.6]])))
        session = tf.Session()
        session.run(tf.global_variables_initializer())
        serving = {
            "session": session,
            "tags": ["serve"],
            "extra": {"origin.txt": b"made by a test"},
            "signatures": {
                "serving_default": {"inputs": {"x": x}, "outputs": {"probabilities": probabilities}},
                "classify": {"inputs": {"inputs": examples}, "outputs": {"scores": scores}, "method_name": "classify"},
                "regress": {"inputs": {"inputs": examples}, "outputs": {"outputs": scores[:, :1]}, "method_name": "regress"},
                "own": {"inputs": {"x": x}, "outputs": {"logits": logits}, "method_name": "example.org/logits"},
            },
        }
    with tf.Graph().as_default():
        x, logits, _, _ = _graph(scale=2.0)
        doubled = {"tags": ["serve", "doubled"], "inputs": {"x": x}, "outputs": {"logits": logits}}
    return [serving, doubled]


def with_table():
    """Looks up words in a vocabulary file."""
    words = Path(tempfile.mkdtemp()) / "words.txt"
    words.write_text("film\ngood\nbad\n")
    with tf.Graph().as_default():
        text = tf.placeholder(tf.string, [None], name="text")
        table = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(
                str(words), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
            ),
            -1,
        )
        scores = tf.get_variable("scores", initializer=tf.constant([0.5, 0.25, 1.0, 2.0]))
        ids = table.lookup(text)
        session = tf.Session()
        session.run([tf.global_variables_initializer(), tf.tables_initializer()])
        return {"session": session, "inputs": {"text": text}, "outputs": {"ids": ids, "score": tf.gather(scores, ids + 1)}}


def without_values():
    """A graph with uninitialised variables."""
    return rebuilt()
