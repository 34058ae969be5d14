"""Families of keras.applications as .tflite: `python keras_families.py FOLDER [NAME…]`, in an environment with Keras.

Small images and random weights; the statistics of batch normalisation are those of waves, as after training, so that answers differ.
"""

import sys
from pathlib import Path

import keras
import numpy as np
from keras_layers import convert

SIZES = {"DenseNet121": 64, "Xception": 71, "EfficientNetB0": 64, "ConvNeXtTiny": 64, "NASNetMobile": 64, "InceptionV3": 75}


def _waves(size):
    """Images [8, size, size, 3] from 0 to 255, each of other frequencies."""
    drawn = np.random.default_rng(7)
    rows, columns = np.indices((size, size))[:, None, ..., None] * drawn.uniform(0.05, 0.8, (2, 8, 1, 1, 3))
    return (127.5 + 127.5 * np.sin(rows + columns)).astype(np.float32)


def made(name):
    """The model of this name up to the logits of 10 classes: a softmax of random weights may be the same for all images."""
    given = {"input_shape": (SIZES[name], SIZES[name], 3), "weights": None, "classes": 10, "classifier_activation": None}
    model = getattr(keras.applications, name)(**given)
    normalising = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in normalising:
        layer.momentum = 0.0
    if normalising:
        model(_waves(SIZES[name]), training=True)
    return model


if __name__ == "__main__":
    for name in sys.argv[2:] or SIZES:
        (Path(sys.argv[1]) / f"{name}.tflite").write_bytes(convert(lambda name=name: made(name)))
