"""Models that are hard for Java: datatypes it lacks, defaults, composite inputs, tables, assets, several tags, tf.Examples.

Each function is exported by tests/verbs/export/test_hard_for_java.py: `crossload export java_models.py:FUNCTION`.
"""

import tempfile
from pathlib import Path

import tensorflow as tf

v1 = tf.compat.v1
NARROW = ("int8", "int16", "uint16", "uint32", "uint64", "float16", "bfloat16", "complex64", "complex128")
WORDS = ("gut", "schlecht", "naïve", "東京")
EXPORTERS_OWN = tempfile.TemporaryDirectory()  # deleted when the exporter ends: then only the artifact has its assets
THREE, SEVEN = tf.constant(3.0), tf.constant(7, tf.int8)


def datatypes():
    """One signature per datatype; one of several datatypes, including some that every release has."""
    with tf.Graph().as_default():
        signatures = {}
        for name in NARROW:
            x = v1.placeholder(name, [None, 2], f"given_{name}")
            signatures[name] = {"inputs": {"x": x}, "outputs": {"y": _reversed(x, f"reversed_{name}")}}
        narrow, wide = v1.placeholder(tf.int8, [None], "narrow"), v1.placeholder(tf.float32, [None], "wide")
        outputs = {"sum": tf.cast(narrow, tf.float32) + wide, "both": tf.complex(wide, wide), "count": tf.size(narrow)}
        signatures["mixed"] = {"inputs": {"narrow": narrow, "wide": wide}, "outputs": outputs}
        # A second signature over the same tensor, as often with classify and predict.
        signatures["again"] = {"inputs": {"narrow": narrow}, "outputs": {"same": tf.identity(narrow)}}
        return {"signatures": signatures}


def _reversed(x, name):
    """The rows in reverse order; unsigned numbers as signed ones, because TensorFlow 1.15 cannot reverse unsigned ones."""
    signed = {tf.uint32: tf.int32, tf.uint64: tf.int64}.get(x.dtype)
    return tf.bitcast(tf.reverse(tf.bitcast(x, signed), [1]), x.dtype, name) if signed else tf.reverse(x, [1], name)


def defaults():
    """An optional input of a datatype that Java lacks; another of one that it has."""

    class Scaled(tf.Module):
        @tf.function(
            input_signature=[
                tf.TensorSpec([None], tf.float32, "x"),
                tf.TensorSpec([], tf.float32, "factor"),
                tf.TensorSpec([], tf.int8, "more"),
            ]
        )
        def serve(self, x, factor=THREE, more=SEVEN):
            return {"y": x * factor + tf.cast(more, tf.float32), "more": more}

    return Scaled()


def composites():
    """Ragged and sparse inputs and outputs, as in functions of TensorFlow 2."""

    class Composites(tf.Module):
        @tf.function(input_signature=[tf.RaggedTensorSpec([None, None], tf.int32, ragged_rank=1), tf.TensorSpec([], tf.float32, "k")])
        def ragged(self, words, k):
            return {"sums": tf.cast(tf.reduce_sum(words, axis=1), tf.float32) * k, "twice": words * 2}

        @tf.function(input_signature=[tf.RaggedTensorSpec([None, None, None], tf.string, ragged_rank=2)])
        def deep(self, x):
            return {"lengths": tf.strings.length(x.flat_values), "rows": x.row_lengths(), "bytes": tf.strings.length(x).to_tensor(-1)}

        @tf.function(input_signature=[tf.SparseTensorSpec([None, 5], tf.float32)])
        def sparse(self, x):
            product = tf.sparse.sparse_dense_matmul(x, tf.reshape(tf.range(10.0), [5, 2]))
            return {"product": product, "twice": tf.sparse.map_values(tf.multiply, x, 2.0)}

    return Composites()


def sparse_v1():
    """A sparse placeholder of TensorFlow 1: TensorInfo.coo_sparse, which the Java layer refuses."""
    with tf.Graph().as_default():
        x = v1.sparse_placeholder(tf.float32, name="x")
        return {"inputs": {"x": x}, "outputs": {"sums": tf.sparse.reduce_sum(x, axis=-1), "twice": x * 2.0}}


def tables():
    """Tables of words from constants and from an asset, and of numbers: unknown keys give -1."""
    with tf.Graph().as_default():
        words, numbers = v1.placeholder(tf.string, [None], "words"), v1.placeholder(tf.int64, [None], "numbers")
        vocabulary = Path(EXPORTERS_OWN.name) / "words.txt"
        vocabulary.write_text("".join(f"asset_{word}\n" for word in WORDS), encoding="utf-8")
        initializers = {
            "ids": tf.lookup.KeyValueTensorInitializer(tf.constant(WORDS), tf.constant([5, 6, 7, 8], tf.int64)),
            "lines": tf.lookup.TextFileInitializer(
                str(vocabulary), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64,
                tf.lookup.TextFileIndex.LINE_NUMBER,
            ),
        }  # fmt: skip
        outputs = {name: tf.lookup.StaticHashTable(i, -1).lookup(words) for name, i in initializers.items()}
        names = tf.lookup.KeyValueTensorInitializer(tf.constant([4711, 815], tf.int64), tf.constant(["eau", "null"]))
        looked_up = tf.lookup.StaticHashTable(names, "?").lookup(numbers)
        signatures = {
            "words": {"inputs": {"words": words}, "outputs": outputs},
            "numbers": {"inputs": {"numbers": numbers}, "outputs": {"names": looked_up}},
        }
        return {"signatures": signatures}


def examples():
    """Classify and regress over tf.Examples, with dense, sparse and word features; and a second MetaGraph with other tags."""
    first = _examples(2.0)
    return [first, {**_examples(10.0), "tags": ["serve", "tenfold"]}]


def _examples(scale):
    with tf.Graph().as_default():
        serialised = v1.placeholder(tf.string, [None], "examples")
        features = {
            "age": tf.io.FixedLenFeature([2], tf.float32),
            "kind": tf.io.FixedLenFeature([], tf.string),
            "visits": tf.io.VarLenFeature(tf.int64),
        }
        parsed = tf.io.parse_example(serialised, features)
        ids = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(tf.constant(WORDS), tf.constant([1.0, 2.0, 3.0, 4.0])), 0.0)
        visits = tf.cast(tf.sparse.reduce_sum(parsed["visits"], axis=1), tf.float32)
        score = tf.identity((parsed["age"][:, :1] + tf.reshape(visits + ids.lookup(parsed["kind"]), [-1, 1])) * scale, "score")
        scores = tf.concat([score, -score], axis=1)
        classes = tf.tile(tf.constant([["yes", "no"]]), [tf.shape(score)[0], 1])
        return {
            "signatures": {
                "classify": {
                    "inputs": {"inputs": serialised},
                    "outputs": {"classes": classes, "scores": scores},
                    "method_name": "classify",
                },
                "regress": {"inputs": {"inputs": serialised}, "outputs": {"outputs": score}, "method_name": "regress"},
            }
        }
