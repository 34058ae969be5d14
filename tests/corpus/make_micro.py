"""Models for microcontrollers as .tflite: `python make_micro.py FOLDER DEMO`, in an environment with TensorFlow.

Each has a fixed batch of one, as TensorFlow Lite Micro needs it. DEMO is the demo's SavedModel; the others have random weights.
"""

import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

RANDOM = np.random.default_rng(11)


def converted(model, shapes, *, int8=False):
    """The file of a model, called with tensors, whose inputs have these shapes and names."""
    specs = [tf.TensorSpec(shape, tf.float32, name) for name, shape in shapes.items()]
    traced = tf.function(lambda *inputs: model(list(inputs) if len(inputs) > 1 else inputs[0])).get_concrete_function(*specs)
    frozen = convert_variables_to_constants_v2(traced)
    module = tf.Module()
    module.serve = tf.function(lambda *inputs: {"scores": frozen(*inputs)[0]}, input_signature=specs)
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures={"serving_default": module.serve})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if int8:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            samples = [{n: RANDOM.uniform(-1, 1, s).astype(np.float32) for n, s in shapes.items()} for _ in range(20)]
            converter.representative_dataset = lambda: iter(samples)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.int8
            # The kernels of 2020 know one scale for the weights of a dense layer.
            converter._experimental_disable_per_channel_quantization_for_dense_layers = True
        return converter.convert()


def digits(demo):
    """The demo's network, trained."""
    loaded = tf.saved_model.load(str(demo))
    return lambda pixels: loaded.signatures["serving_default"](pixels=pixels)["probabilities"]


def keyword_spotter():
    """A network of depthwise separable convolutions over 49 frames of 10 coefficients, of the size that spots 12 words."""
    layers = keras.layers
    x = features = keras.Input((49, 10, 1))
    x = layers.Conv2D(64, (10, 4), strides=2, padding="same", activation="relu")(x)
    for _ in range(4):
        x = layers.DepthwiseConv2D(3, padding="same", activation="relu")(x)
        x = layers.Conv2D(64, 1, activation="relu")(x)
    x = layers.AveragePooling2D((25, 5))(x)
    return keras.Model(features, layers.Dense(12, activation="softmax")(layers.Flatten()(x)))


def recurrent():
    """An LSTM as a loop over its steps."""
    layers = keras.layers
    return keras.Sequential([layers.Input((6, 4)), layers.LSTM(8), layers.Dense(3, activation="softmax")])


def unrolled():
    """An LSTM as plain operators, its state an input: the planner of 2020 refuses a gate that nothing reads, as the first step has."""
    layers = keras.layers
    steps, hidden, carry = keras.Input((6, 4)), keras.Input((8,)), keras.Input((8,))
    x = layers.LSTM(8, unroll=True)(steps, initial_state=[hidden, carry])
    return keras.Model([steps, hidden, carry], layers.Dense(3, activation="softmax")(x))


def two_inputs():
    """The left input counts twice, so that exchanged inputs show."""
    layers = keras.layers
    left, right = keras.Input((4,)), keras.Input((4,))
    x = layers.Add()([layers.Add()([left, left]), right])
    return keras.Model([left, right], layers.Dense(3, activation="softmax")(x))


def main(folder, demo):
    keras.utils.set_random_seed(3)
    for name, model, shapes, int8 in (
        ("digits", digits(demo), {"pixels": (1, 8, 8, 1)}, True),
        ("keywords", keyword_spotter(), {"features": (1, 49, 10, 1)}, True),
        ("unrolled", unrolled(), {"steps": (1, 6, 4), "hidden": (1, 8), "carry": (1, 8)}, False),
        ("recurrent", recurrent(), {"steps": (1, 6, 4)}, False),
        ("two", two_inputs(), {"left": (1, 4), "right": (1, 4)}, False),
    ):
        (folder / f"{name}.tflite").write_bytes(converted(model, shapes, int8=int8))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
