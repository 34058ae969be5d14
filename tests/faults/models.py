"""Models with several inputs or outputs, images, class ids, for the catalogue: `python models.py FOLDER` writes SavedModels."""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np
import tensorflow as tf

layers = keras.layers


def difference() -> keras.Model:
    """Two inputs of one shape."""
    left, right = keras.Input((8,), name="left"), keras.Input((8,), name="right")
    return keras.Model([left, right], layers.Dense(4, name="y")(layers.subtract([left, right])))


def mean_and_spread() -> keras.Model:
    """Two outputs of one shape."""
    x = keras.Input((8,), name="x")
    hidden = layers.Dense(16, activation="relu")(x)
    spread = layers.Dense(6, activation="sigmoid", name="spread")(hidden)
    return keras.Model(x, {"mean": layers.Dense(6, name="mean")(hidden), "spread": spread})


def colours() -> keras.Model:
    """An image to an image."""
    x = keras.Input((8, 8, 3), name="x")
    y = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    return keras.Model(x, layers.Conv2D(3, 3, padding="same", name="y")(layers.LeakyReLU()(y)))


def digits() -> keras.Model:
    """A small classifier of images with pooling."""
    body = [layers.Conv2D(8, 3, activation="relu"), layers.MaxPooling2D(), layers.Flatten(), layers.Dense(10, activation="softmax")]
    return keras.Sequential([layers.Input((12, 12, 1), name="x"), *body])


def regression() -> keras.Model:
    """One number."""
    return keras.Sequential([layers.Input((6,), name="x"), layers.Dense(16, activation="tanh"), layers.Dense(1)])


class Ids(tf.Module):
    """Class ids of rank 1."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = tf.Variable(np.random.default_rng(0).standard_normal((6, 5)).astype(np.float32), name="kernel")

    @tf.function(input_signature=[tf.TensorSpec([None, 6], tf.float32, "x")])
    def call(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"ids": tf.argmax(x @ self.kernel, axis=-1)}


KERAS = {f.__name__: f for f in (difference, mean_and_spread, colours, digits, regression)}


def main(folder: Path, names: list[str]) -> None:
    """Write the named models, or all."""
    for name in names or [*KERAS, "class_ids"]:
        keras.utils.set_random_seed(1)
        if name not in KERAS:
            ids = Ids()
            tf.saved_model.save(ids, str(folder / name), signatures={"serving_default": ids.call})
            continue
        model = KERAS[name]()
        for weight in model.weights:  # no weight, so no bias either, is zero
            weight.assign(weight + 0.1 * np.random.default_rng(2).standard_normal(weight.shape))
        model.export(folder / name, verbose=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
