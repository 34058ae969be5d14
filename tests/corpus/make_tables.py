"""Freezes graphs with one lookup table each and runs them in a new graph: `python make_tables.py KIND…`, with TensorFlow.

Prints a JSON list: the answer of each frozen graph, or the reason why freezing failed.
"""

import json
import sys

import tensorflow as tf

from crossload.errors import ModelError
from crossload.tf_process import freeze

v1 = tf.compat.v1


def static():
    keys, values = tf.constant([3, 1, 2], tf.int64), tf.constant(["c", "a", "b"])
    return tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), "?")


def mutable(insert=True):
    table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, -1)
    return _filled(table, [1.5, 2.5, 3.5]) if insert else table


def empty():
    return mutable(insert=False)


def dense(default=0.5, values=(1.5, 2.5, 3.5)):
    return _filled(tf.lookup.experimental.DenseHashTable(tf.int64, tf.float32, default, empty_key=-1, deleted_key=-2), values)


def vectors():
    return dense([0.5, 1.0], [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])


def _filled(table, values):
    v1.add_to_collection(v1.GraphKeys.TABLE_INITIALIZERS, table.insert(tf.constant([1, 2, 3], tf.int64), tf.constant(values)))
    return table


def frozen_answer(kind):
    with tf.Graph().as_default(), v1.Session() as session:
        keys = v1.placeholder(tf.int64, [None], "keys")
        tf.identity(globals()[kind]().lookup(keys), name="values")
        session.run(v1.tables_initializer())
        session.meta_graph = None
        try:
            graph, _ = freeze.freeze(session, {"s": {"key": None, "inputs": {"keys": "keys:0"}, "outputs": {"values": "values:0"}}})
        except ModelError as error:
            return str(error)
    with tf.Graph().as_default(), v1.Session() as session:
        tf.import_graph_def(graph, name="")
        answers = session.run("values:0", {"keys:0": [2, 9, 1, -1 if kind == "static" else 3]})
        return [a.decode() if isinstance(a, bytes) else float(a) for a in answers]


if __name__ == "__main__":
    print(json.dumps([frozen_answer(kind) for kind in sys.argv[1:]]))
