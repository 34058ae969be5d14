"""Real .tflite files of the kinds that interpreters differ on, written by the converter: the content of lite_kinds.zip.

`python make_lite_kinds.py FOLDER KIND…`, in an environment with TensorFlow. With 2.15, whose converter fuses Keras' layers: `recurrent`.
With 2.21: `stateful` (variables, tables), `control` flow, `dynamic` (shapes that are known only at a run), `ranks` above four.
"""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

BUILTINS = tf.lite.OpsSet.TFLITE_BUILTINS
FLOAT, INT = tf.float32, tf.int32


def written(path, specs, function, tracked=None, **options):
    """Convert a function of tensors; `options` are attributes of the converter."""
    module = tf.Module()
    module.tracked = tracked
    module.serve = tf.function(function, input_signature=specs)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.serve.get_concrete_function()], module)
    for name, value in options.items():
        setattr(converter, name, value)
    path.with_suffix(".tflite").write_bytes(converter.convert())


def x(*shape, datatype=FLOAT):
    """A named input."""
    return tf.TensorSpec(shape, datatype, "x")


def recurrent(folder):
    keras = tf.keras
    keras.utils.set_random_seed(3)

    def samples():
        random = np.random.default_rng(1)
        return ([random.normal(size=(1, 5, 3)).astype(np.float32)] for _ in range(20))

    def converted(name, model, **options):
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        for option, value in options.items():
            setattr(converter, option, value)
        (folder / f"{name}.tflite").write_bytes(converter.convert())

    layers = {
        "lstm": keras.layers.LSTM(4, return_sequences=True),
        "lstm_last": keras.layers.LSTM(4),
        "both_ways": keras.layers.Bidirectional(keras.layers.LSTM(4)),
        "gru": keras.layers.GRU(4),
        "rnn": keras.layers.SimpleRNN(4),
    }
    default = {"optimizations": [tf.lite.Optimize.DEFAULT]}
    for name, layer in layers.items():
        model = keras.Sequential([keras.Input((5, 3), batch_size=1), layer, keras.layers.Dense(300)])
        converted(name, model)
        converted(f"{name}_dynamic", model, **default)
        if name == "lstm":
            ranges = {**default, "representative_dataset": samples}
            converted("lstm_int8", model, target_spec=tf.lite.TargetSpec([tf.lite.OpsSet.TFLITE_BUILTINS_INT8]), **ranges)
            wide = [tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8, BUILTINS]
            converted("lstm_16x8", model, target_spec=tf.lite.TargetSpec(wide), **ranges)


def stateful(folder):
    total = tf.Variable(tf.zeros([1, 4]))
    written(folder / "variable", [x(1, 4)], lambda x: total.assign_add(x) * 2.0, total, experimental_enable_resource_variables=True)
    keys, values = tf.constant(["a", "b"]), tf.constant([1, 2], tf.int64)
    weights = tf.Variable(tf.ones([4]))

    def used(x):
        return tf.while_loop(lambda i, _: i < 2, lambda i, v: (i + 1, v * weights), (0, x))[1]

    written(folder / "unassigned", [x(1, 4)], used, weights)
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), -1)
    written(folder / "table", [x(2, datatype=tf.string)], table.lookup, table, experimental_enable_resource_variables=True)


def control(folder):
    def doubled(x):
        return tf.while_loop(lambda i, _: i < 3, lambda i, v: (i + 1, v * 2.0), (0, x))[1]

    def signs(x):
        return tf.while_loop(lambda i, _: i < 3, lambda i, v: (i + 1, tf.nn.gelu(v)), (0, x))[1]

    written(folder / "loop", [x(1, 4)], doubled)
    written(folder / "loop_gelu", [x(1, 4)], signs)
    switch = [tf.TensorSpec([], tf.bool, "c"), x(1, 4)]
    written(folder / "branch", switch, lambda c, x: tf.cond(c, lambda: x * 2.0, lambda: tf.exp(x)))
    written(folder / "branch_unique", switch, lambda c, x: tf.cond(c, lambda: x, lambda: tf.cast(tf.unique(x[0]).y[:1], FLOAT) + x))


def dynamic(folder):
    size = tf.TensorSpec([2], INT, "size")

    def limited(size):
        return tf.clip_by_value(size, 2, 2)

    written(folder / "reshape", [x(1, 4), size], lambda x, size: tf.reshape(x, limited(size)))
    written(folder / "fill", [size], lambda size: tf.fill(limited(size), 3.0))
    written(folder / "tile", [x(1, 4), size], lambda x, size: tf.tile(x, limited(size)))
    written(folder / "pad", [x(1, 4), size], lambda x, size: tf.pad(x, tf.stack([limited(size), limited(size)])))
    written(folder / "slice", [x(4, 4), size], lambda x, size: tf.slice(x, [0, 0], limited(size)))
    written(folder / "masked", [x(1, 4)], lambda x: tf.boolean_mask(x[0], x[0] < 1e9))
    written(folder / "ranged", [size], lambda size: tf.range(0, limited(size)[0], 1))


def ranks(folder):
    five, six, seven = (1, 2, 2, 2, 3), (1, 2, 2, 2, 2, 3), (1, 2, 2, 1, 2, 2, 3)
    other = np.linspace(-1, 1, 3, dtype=np.float32)
    middle = np.linspace(-1, 1, 2, dtype=np.float32).reshape(1, 2, 1, 1)
    written(folder / "add_5", [x(*five)], lambda x: x + other)
    written(folder / "less_5", [x(*five)], lambda x: x < middle)
    written(folder / "power_5", [x(*five)], lambda x: tf.pow(tf.abs(x), middle))
    written(folder / "maximum_7", [x(*seven)], lambda x: tf.maximum(x, middle))
    written(folder / "multiply_6", [x(*six)], lambda x: x * middle)
    written(folder / "transpose_5", [x(*five)], lambda x: tf.transpose(x, [0, 4, 2, 1, 3]))
    written(folder / "transpose_7", [x(*seven)], lambda x: tf.transpose(x, [0, 4, 2, 1, 3, 6, 5]))
    written(folder / "mean_6", [x(*six)], lambda x: tf.reduce_mean(x, [1, 3]))
    written(folder / "strided_6", [x(*six)], lambda x: x[:, :, ::2, 1:])
    written(folder / "concat_6", [x(*six)], lambda x: tf.concat([x, x], 2))
    written(folder / "pad_5", [x(*five)], lambda x: tf.pad(x, [[0, 0], [1, 0], [0, 0], [0, 1], [0, 0]]))
    written(folder / "select_5", [x(*five)], lambda x: tf.where(x > 0.0, x, middle))
    written(folder / "tile_6", [x(*six)], lambda x: tf.tile(x, [1, 1, 2, 1, 1, 1]))
    written(folder / "softmax_6", [x(*six)], tf.nn.softmax)
    written(folder / "integers_5", [x(*five, datatype=INT)], lambda x: tf.maximum(x, np.int32([[1], [2]]).reshape(1, 2, 1, 1)))


if __name__ == "__main__":
    kinds = {"recurrent": recurrent, "stateful": stateful, "control": control, "dynamic": dynamic, "ranks": ranks}
    for kind in sys.argv[2:]:
        kinds[kind](Path(sys.argv[1]))
