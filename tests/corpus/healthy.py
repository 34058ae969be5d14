# /// script
# requires-python = ">=3.10,<3.14"
# dependencies = ["tensorflow-cpu==2.21.0"]
# ///
"""Healthy models, whose runtimes differ by nothing but rounding: `python healthy.py FOLDER [name …]`; `--list` lists them all.

FOLDER/NAME/ is a SavedModel with random weights of a fixed seed. They are of the kinds on which a fixed tolerance raises false alarms:
sums that cancel, long sums, large and tiny answers, deep convolutions, recurrence, narrow datatypes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np
import tensorflow as tf

layers = keras.layers
MODELS: dict[str, Callable[[], keras.Model | tf.Module]] = {}


def model(maker: Callable[[], keras.Model | tf.Module]) -> Callable[[], keras.Model | tf.Module]:
    """Register a maker under its name."""
    MODELS[maker.__name__] = maker
    return maker


def called(*specs: tf.TensorSpec) -> Callable[[Callable[..., tf.Tensor]], Callable[[], tf.Module]]:
    """Register a function of tensors as a module with one signature."""

    def register(function: Callable[..., tf.Tensor]) -> Callable[[], tf.Module]:
        def maker() -> tf.Module:
            module = tf.Module()
            module.call = tf.function(lambda *tensors: {"y": function(*tensors)}, input_signature=list(specs))
            return module

        MODELS[function.__name__] = maker
        return maker

    return register


def values(*shape: int, scale: float = 1.0, seed: int = 0) -> np.ndarray:
    """Normally distributed weights."""
    return (scale * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


def floats(*shape: int | None, dtype: tf.DType = tf.float32, name: str = "x") -> tf.TensorSpec:
    """An input of this shape."""
    return tf.TensorSpec([None, *shape], dtype, name)


# Sums that cancel, long sums, large and tiny answers


@called(floats(64))
def layer_norm_at_mean_1000(x: tf.Tensor) -> tf.Tensor:
    x = x + 1000.0
    mean, variance = tf.nn.moments(x, [-1], keepdims=True)
    return (x - mean) / tf.sqrt(variance + 1e-3)


@called(floats(4096))
def matmul_of_4096(x: tf.Tensor) -> tf.Tensor:
    return x @ values(4096, 16)


@called(floats(2000))
def sum_of_200000(x: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.tile(x, [1, 100]) * values(1, 200_000), axis=1, keepdims=True)


@called(floats(32))
def large_logits(x: tf.Tensor) -> tf.Tensor:
    return 1e4 * (x @ values(32, 10)) - 3e4


@called(floats(32))
def tiny_answers(x: tf.Tensor) -> tf.Tensor:
    return 1e-9 * tf.tanh(x @ values(32, 10))


@called(floats(32))
def exponentials(x: tf.Tensor) -> tf.Tensor:
    return tf.exp(4 * (x @ values(32, 10, scale=0.2)))


@called(floats(32))
def log_probabilities(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.log_softmax(x @ values(32, 1000))


@called(floats(32))
def thousand_classes(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.softmax(x @ values(32, 1000, scale=0.2))


@called(floats(16))
def differences(x: tf.Tensor) -> tf.Tensor:
    return x @ values(16, 8) - tf.reduce_mean(x, axis=1, keepdims=True) * 7.25


@called(floats(24))
def distances(x: tf.Tensor) -> tf.Tensor:
    centres = values(12, 24)
    return tf.reduce_sum(x * x, 1, keepdims=True) - 2 * x @ centres.T + tf.reduce_sum(centres * centres, 1)


@called(floats(32))
def sines(x: tf.Tensor) -> tf.Tensor:
    return tf.concat([tf.sin(10 * x), tf.cos(10 * x)], 1) @ values(64, 6)


@called(floats(48))
def standardised(x: tf.Tensor) -> tf.Tensor:
    return (x - tf.reduce_mean(x, 1, keepdims=True)) * tf.math.rsqrt(tf.math.reduce_variance(x, 1, keepdims=True) + 1e-6)


@called(floats(32))
def powers(x: tf.Tensor) -> tf.Tensor:
    return tf.pow(tf.abs(x) + 0.1, 3.7) @ values(32, 5)


# Images


def image(*body: layers.Layer, size: int = 32, channels: int = 3) -> keras.Model:
    """A sequential model of images."""
    return keras.Sequential([layers.Input((size, size, channels), name="x"), *body])


@model
def transposed_convolution() -> keras.Model:
    return image(layers.Conv2DTranspose(8, 3, strides=2, padding="same"), layers.Conv2DTranspose(3, 4, strides=2), size=12)


@model
def depthwise_convolutions() -> keras.Model:
    return image(
        *[layer for _ in range(4) for layer in (layers.DepthwiseConv2D(3, padding="same"), layers.Conv2D(16, 1, activation="relu6"))]
    )


@model
def separable_convolutions() -> keras.Model:
    return image(*[layers.SeparableConv2D(12, 3, activation="swish", padding="same") for _ in range(3)])


@model
def dilated_convolutions() -> keras.Model:
    return image(*[layers.Conv2D(8, 3, dilation_rate=d, padding="same", activation="elu") for d in (1, 2, 4)])


@model
def vgg_logits() -> keras.Model:
    body: list[layers.Layer] = []
    for width in (16, 32, 64):
        body += [layers.Conv2D(width, 3, padding="same", activation="relu", kernel_initializer="he_normal") for _ in range(2)]
        body.append(layers.MaxPooling2D())
    return image(*body, layers.Flatten(), layers.Dense(256, activation="relu"), layers.Dense(10))


@model
def bilinear_resize() -> keras.Model:
    return image(layers.UpSampling2D(3, interpolation="bilinear"), layers.Conv2D(4, 3), size=11)


@model
def nearest_resize() -> keras.Model:
    return image(layers.UpSampling2D(2), layers.Conv2D(4, 3, activation="gelu"), size=12)


@model
def group_norm() -> keras.Model:
    return image(layers.Conv2D(16, 3), layers.GroupNormalization(4), layers.Activation("relu"), layers.Conv2D(4, 1))


@model
def batch_norm() -> keras.Model:
    return image(layers.Conv2D(16, 3), layers.BatchNormalization(), layers.LeakyReLU(), layers.AveragePooling2D(2))


@model
def layer_norm() -> keras.Model:
    return image(layers.Conv2D(16, 3), layers.LayerNormalization(), layers.GlobalAveragePooling2D(), layers.Dense(5))


@model
def autoencoder() -> keras.Model:
    down = [layers.Conv2D(w, 3, strides=2, padding="same", activation="relu") for w in (16, 32)]
    up = [layers.Conv2DTranspose(w, 3, strides=2, padding="same", activation="relu") for w in (32, 16)]
    return image(*down, *up, layers.Conv2D(3, 3, padding="same", activation="sigmoid"))


@model
def u_net() -> keras.Model:
    x = keras.Input((32, 32, 3), name="x")
    first = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    second = layers.Conv2D(16, 3, padding="same", activation="relu")(layers.MaxPooling2D()(first))
    low = layers.Conv2D(32, 3, padding="same", activation="relu")(layers.MaxPooling2D()(second))
    up = layers.concatenate([second, layers.Conv2DTranspose(16, 2, strides=2)(low)])
    up = layers.concatenate([first, layers.Conv2DTranspose(8, 2, strides=2)(layers.Conv2D(16, 3, padding="same")(up))])
    return keras.Model(x, layers.Conv2D(2, 1)(up))


@model
def mobile_net() -> keras.Model:
    return keras.applications.MobileNetV2((64, 64, 3), alpha=0.35, weights=None, classes=20)


@model
def mobile_net_v3() -> keras.Model:
    return keras.applications.MobileNetV3Small((64, 64, 3), weights=None, classes=20, include_preprocessing=False)


@model
def efficient_net() -> keras.Model:
    return keras.applications.EfficientNetV2B0(input_shape=(64, 64, 3), weights=None, classes=10)


@model
def dense_net_block() -> keras.Model:
    x = keras.Input((16, 16, 8), name="x")
    y = x
    for _ in range(4):
        y = layers.concatenate([y, layers.Conv2D(8, 3, padding="same")(layers.ReLU()(layers.BatchNormalization()(y)))])
    return keras.Model(x, layers.Dense(10)(layers.GlobalMaxPooling2D()(y)))


@model
def residual() -> keras.Model:
    x = keras.Input((16, 16, 8), name="x")
    y = x
    for _ in range(8):
        y = layers.add([y, layers.Conv2D(8, 3, padding="same", activation="relu")(y)])
    return keras.Model(x, layers.Dense(4, activation="softmax")(layers.Flatten()(y)))


@model
def convolution_1d() -> keras.Model:
    return keras.Sequential(
        [layers.Input((100, 4), name="x"), layers.Conv1D(16, 7, activation="tanh"), layers.Conv1D(8, 5), layers.Flatten()]
    )


# Sequences


@model
def lstm() -> keras.Model:
    return keras.Sequential([layers.Input((20, 6), name="x"), layers.LSTM(16, return_sequences=True), layers.LSTM(8), layers.Dense(3)])


@model
def gru() -> keras.Model:
    return keras.Sequential([layers.Input((20, 6), name="x"), layers.Bidirectional(layers.GRU(12)), layers.Dense(3, activation="softmax")])


@model
def simple_rnn() -> keras.Model:
    return keras.Sequential([layers.Input((30, 5), name="x"), layers.SimpleRNN(24), layers.Dense(2)])


@model
def attention() -> keras.Model:
    x = keras.Input((12, 32), name="x")
    y = layers.LayerNormalization()(layers.add([x, layers.MultiHeadAttention(4, 8)(x, x)]))
    return keras.Model(x, layers.LayerNormalization()(layers.add([y, layers.Dense(32)(layers.Dense(64, activation="gelu")(y))])))


@model
def embeddings() -> keras.Model:
    tokens = keras.Input((12,), dtype="int32", name="x")
    y = layers.GlobalAveragePooling1D()(layers.Embedding(100, 16)(tokens))
    return keras.Model(tokens, layers.Dense(4, activation="softmax")(layers.Dense(16, activation="relu")(y)))


@model
def two_towers() -> keras.Model:
    left, right = keras.Input((16,), name="left"), keras.Input((16,), name="right")
    one, other = layers.Dense(32, activation="relu")(left), layers.Dense(32, activation="relu")(right)
    return keras.Model([left, right], layers.Dot(1)([one, other]))


@model
def deep_dense() -> keras.Model:
    hidden = [layers.Dense(64, activation="selu", kernel_initializer="lecun_normal") for _ in range(20)]
    return keras.Sequential([layers.Input((32,), name="x"), *hidden, layers.Dense(10)])


# Other datatypes


@called(floats(32, dtype=tf.float16))
def half(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.softmax(tf.nn.relu(x @ tf.constant(values(32, 16), tf.float16)) @ tf.constant(values(16, 10, scale=0.2), tf.float16))


@called(floats(32, dtype=tf.bfloat16))
def brain_floats(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.softmax(x @ tf.constant(values(32, 1000, scale=0.2), tf.bfloat16))


@called(floats(32, dtype=tf.float64))
def doubles(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.softmax(x @ tf.constant(values(32, 10), tf.float64))


@model
def mixed_precision() -> keras.Model:
    policy = keras.mixed_precision.DTypePolicy("mixed_float16")
    body = [layers.Conv2D(8, 3, activation="relu", dtype=policy), layers.Flatten(dtype=policy), layers.Dense(10, dtype=policy)]
    return image(*body, layers.Activation("softmax", dtype="float32"), size=12)


def main() -> None:
    """Write the models."""
    folder, names = Path(sys.argv[1]), sys.argv[2:] or list(MODELS)
    for name in names:
        keras.utils.set_random_seed(0)
        made = MODELS[name]()
        if isinstance(made, keras.Model):
            made.export(folder / name, verbose=False)
        else:
            tf.saved_model.save(made, str(folder / name), signatures={"serving_default": made.call})


if __name__ == "__main__":
    if sys.argv[1:] == ["--list"]:
        print(*MODELS, sep="\n")
    else:
        main()
