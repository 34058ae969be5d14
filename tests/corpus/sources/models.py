"""Sources for the tests of export: functions that return models, run with TensorFlow."""

import keras
import numpy as np
import tensorflow as tf


def two_inputs():
    """Two inputs of one shape, two outputs: a receiver could swap them if names were lost."""
    keras.utils.set_random_seed(0)
    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    difference = keras.layers.Dense(3, name="difference")(keras.layers.Subtract()([left, right]))
    own = keras.layers.Dense(2, name="own")(left)
    return keras.Model([left, right], [difference, own]), {"left": np.float32([[1, 2, 3, 4]]), "right": np.float32([[4, 3, 2, 1]])}


def text_classifier():
    """Strings through TextVectorization's lookup table."""
    keras.utils.set_random_seed(0)
    vectorize = keras.layers.TextVectorization(max_tokens=50, output_sequence_length=6)
    vectorize.adapt(["the good film", "a bad film terrible", "great answer python"])
    text = keras.Input((1,), dtype="string", name="text-input")
    x = keras.layers.Embedding(50, 8)(vectorize(text))
    x = keras.layers.GlobalAveragePooling1D()(x)
    return keras.Model(text, keras.layers.Dense(2, activation="softmax", name="sentiment")(x))


def mobilenet():
    """MobileNetV2 of keras.applications, its batch statistics set by a pass over noise so that its answers depend on the input."""
    keras.utils.set_random_seed(0)
    model = keras.applications.MobileNetV2(weights=None, input_shape=(96, 96, 3), classes=10)
    noise = np.random.default_rng(0).standard_normal((16, 96, 96, 3)).astype(np.float32)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(noise, training=True)
    return model


class _Module(tf.Module):
    def __init__(self):
        super().__init__()
        self.scale = tf.Variable([1.0, 2.0])

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def __call__(self, x):
        return {"y": x * self.scale}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, name="n")])
    def count(self, n):
        return {"next": n + 1}


def module():
    """A tf.Module with two signatures."""
    return _Module()


class _Words(_Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="words")])
    def lengths(self, words):
        return {"lengths": tf.strings.length(words)}


def with_words():
    """A tf.Module of three signatures, one of which TFLite cannot hold."""
    return _Words()


def without_signature():
    """A tf.Module that cannot be exported unchanged."""
    return tf.Module()


class _Dice(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def __call__(self, x):
        return {"y": x + tf.random.uniform([])}


def dice():
    """A model that never gives the same answer twice: a conversion cannot agree with the reference."""
    return _Dice()


class _Counter(tf.Module):
    def __init__(self):
        super().__init__()
        self.count = tf.Variable(0.0)

    @tf.function(input_signature=[tf.TensorSpec([2], tf.float32, name="x")])
    def __call__(self, x):
        return {"y": x + self.count.assign_add(1.0)}


def counter():
    """A model that keeps state."""
    return _Counter()


def broken():
    """The user's own code fails."""
    raise RuntimeError("the data set is not where it was")


def nothing():
    """Returns something other than a model."""
    return 42
