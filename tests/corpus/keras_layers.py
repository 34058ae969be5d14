"""Models of one Keras layer, and some of control flow, as .tflite: `python keras_layers.py FOLDER [NAME…]`, in an environment with Keras.

Without names it makes all of them, in some minutes: what the converter emits for Keras' recurrent, attention, normalisation and
preprocessing layers, convolutions, pooling and activations. A model that only converts with a fixed batch gets one of 1; one that needs
Flex operators gets them.
"""

import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

layers = keras.layers


def _of(shape, *stacked, dtype="float32"):
    return lambda: keras.Sequential([layers.Input(shape, dtype=dtype), *(make() for make in stacked)])


def _attention(layer, inputs=1):
    def make():
        given = [keras.Input((6, 8)) for _ in range(inputs)]
        return keras.Model(given, layer()(given) if inputs > 1 else layer()(given[0], given[0]))

    return make


_SERIES, _IMAGE, _VECTOR = (5, 4), (8, 9, 4), (8,)
_ACTIVATIONS = (
    "celu", "elu", "exponential", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh", "leaky_relu", "linear",
    "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "soft_shrink", "softmax", "softplus", "softsign",
    "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus", "tanh", "tanh_shrink",
)  # fmt: skip
LAYERS = {
    "lstm": _of(_SERIES, lambda: layers.LSTM(6)),
    "lstm_sequences": _of(_SERIES, lambda: layers.LSTM(6, return_sequences=True), lambda: layers.LSTM(3, go_backwards=True)),
    "gru": _of(_SERIES, lambda: layers.GRU(6)),
    "gru_sequences": _of(_SERIES, lambda: layers.GRU(6, return_sequences=True, reset_after=False)),
    "simple_rnn": _of(_SERIES, lambda: layers.SimpleRNN(6)),
    "bidirectional": _of(_SERIES, lambda: layers.Bidirectional(layers.LSTM(6))),
    "cells": _of(_SERIES, lambda: layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)])),
    "conv_lstm": _of((4, 6, 6, 2), lambda: layers.ConvLSTM2D(3, 3)),
    "masked": _of((7,), lambda: layers.Embedding(20, 8, mask_zero=True), lambda: layers.LSTM(6), dtype="int32"),
    "time_distributed": _of((4, 6, 6, 2), lambda: layers.TimeDistributed(layers.Conv2D(3, 3))),
    "multi_head": _attention(lambda: layers.MultiHeadAttention(2, 4)),
    "grouped_query": _attention(lambda: layers.GroupQueryAttention(4, 2, 2)),
    "attention": _attention(layers.Attention, 2),
    "additive": _attention(layers.AdditiveAttention, 2),
    "layer_norm": _of((5, 8), layers.LayerNormalization),
    "group_norm": _of(_IMAGE, lambda: layers.GroupNormalization(2)),
    "batch_norm": _of(_IMAGE, layers.BatchNormalization),
    "unit_norm": _of(_VECTOR, layers.UnitNormalization),
    "rms_norm": _of(_VECTOR, layers.RMSNormalization),
    "spectral_norm": _of(_IMAGE, lambda: layers.SpectralNormalization(layers.Conv2D(3, 3))),
    "normalization": _of(_VECTOR, lambda: layers.Normalization(mean=np.arange(8.0), variance=np.arange(1.0, 9.0))),
    "rescaling": _of(_IMAGE, lambda: layers.Rescaling(1 / 255, -1.0)),
    "resizing": _of(_IMAGE, lambda: layers.Resizing(12, 5)),
    "resizing_nearest": _of(_IMAGE, lambda: layers.Resizing(12, 5, interpolation="nearest")),
    "resizing_bicubic": _of(_IMAGE, lambda: layers.Resizing(12, 5, interpolation="bicubic")),
    "center_crop": _of(_IMAGE, lambda: layers.CenterCrop(4, 4)),
    "discretization": _of((4,), lambda: layers.Discretization(bin_boundaries=[0.0, 1.0, 2.0])),
    "one_hot": _of((1,), lambda: layers.CategoryEncoding(5, output_mode="one_hot"), dtype="int32"),
    "multi_hot": _of((4,), lambda: layers.CategoryEncoding(5, output_mode="multi_hot"), dtype="int32"),
    "integer_lookup": _of((4,), lambda: layers.IntegerLookup(vocabulary=[3, 5, 7]), dtype="int64"),
    "string_lookup": _of((4,), lambda: layers.StringLookup(vocabulary=["a", "b"]), dtype="string"),
    "hashing": _of((4,), lambda: layers.Hashing(7), dtype="int32"),
    "embedding": _of((7,), lambda: layers.Embedding(20, 8), dtype="int32"),
    "conv_1d": _of((9, 3), lambda: layers.Conv1D(4, 3, padding="causal", dilation_rate=2)),
    "conv_2d_groups": _of(_IMAGE, lambda: layers.Conv2D(6, 3, groups=2)),
    "conv_2d_dilated": _of(_IMAGE, lambda: layers.Conv2D(6, 3, dilation_rate=2)),
    "conv_3d": _of((5, 5, 5, 2), lambda: layers.Conv3D(3, 2)),
    "conv_2d_transpose": _of(_IMAGE, lambda: layers.Conv2DTranspose(3, 3, strides=2, padding="same")),
    "conv_3d_transpose": _of((5, 5, 5, 2), lambda: layers.Conv3DTranspose(3, 2, strides=2)),
    "separable": _of(_IMAGE, lambda: layers.SeparableConv2D(4, 3)),
    "depthwise": _of(_IMAGE, lambda: layers.DepthwiseConv2D(3, depth_multiplier=2, dilation_rate=2)),
    "max_pooling": _of(_IMAGE, lambda: layers.MaxPooling2D(2, padding="same")),
    "average_pooling": _of((9, 3), lambda: layers.AveragePooling1D(2)),
    "max_pooling_3d": _of((6, 6, 6, 2), lambda: layers.MaxPooling3D(2)),
    "global_pooling": _of(_IMAGE, lambda: layers.GlobalAveragePooling2D(keepdims=True)),
    "up_sampling": _of((4, 4, 2), lambda: layers.UpSampling2D(2, interpolation="bilinear")),
    "up_sampling_3d": _of((4, 4, 4, 2), lambda: layers.UpSampling3D(2)),
    "zero_padding": _of(_IMAGE, lambda: layers.ZeroPadding2D(((1, 2), (0, 1)))),
    "cropping": _of(_IMAGE, lambda: layers.Cropping2D(1)),
    "einsum_dense": _of((4, 8), lambda: layers.EinsumDense("abc,cd->abd", (None, 6))),
    "permute": _of(_IMAGE, lambda: layers.Permute((3, 1, 2))),
    "repeat_vector": _of(_VECTOR, lambda: layers.RepeatVector(3)),
    "prelu": _of(_VECTOR, layers.PReLU),
    "softmax_axis": _of((4, 8), lambda: layers.Softmax(axis=1)),
    **{f"activation_{name}": _of(_VECTOR, lambda name=name: layers.Activation(name)) for name in _ACTIVATIONS},
}


class Branches(tf.Module):
    """A branch inside a loop, and a loop whose condition is of a vector: both subgraphs of a .tflite."""

    @tf.function(input_signature=[tf.TensorSpec([4], tf.float32, "x")])
    def serve(self, x):
        def step(n, y):
            return n + 1, tf.cond(tf.reduce_sum(y) > 3.0, lambda: y - 2.5, lambda: y * 1.5)

        _, y = tf.while_loop(lambda n, _: n < 5, step, [tf.constant(0), x])
        return {"y": y}


def _exported(model, folder, batch):
    if isinstance(model, tf.Module):
        tf.saved_model.save(model, folder, signatures={"serve": model.serve})
        return
    specs = [tf.TensorSpec([batch, *i.shape[1:]], i.dtype, f"x{n}") for n, i in enumerate(model.inputs)]
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        "serve", lambda *given: {"y": model(list(given) if len(given) > 1 else given[0], training=False)}, input_signature=specs
    )
    archive.write_out(folder, verbose=False)


def _converted(model, batch, flex):
    with tempfile.TemporaryDirectory() as folder:
        _exported(model, folder, batch)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, *([tf.lite.OpsSet.SELECT_TF_OPS] if flex else [])]
        return converter.convert()


def convert(make):
    keras.utils.set_random_seed(1)
    model = make()
    for batch, flex in ((None, False), (1, False)):
        try:
            return _converted(model, batch, flex)
        except Exception:  # the converter raises errors of its own classes, and of others
            continue
    return _converted(model, None, True)


if __name__ == "__main__":
    made = {**LAYERS, "branches": Branches}
    for name in sys.argv[2:] or made:
        Path(sys.argv[1], f"{name}.tflite").write_bytes(convert(made[name]))
