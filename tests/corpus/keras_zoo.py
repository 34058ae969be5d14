"""Keras files of all generations, with the answers of the saved models: `python keras_zoo.py FOLDER`, in an environment with Keras.

Under Keras 2 it also writes files of early Keras 2 and Keras 1: Keras 2's files, with config and weights converted back by hand.
"""

import json
import sys
from pathlib import Path

import h5py
import keras
import numpy as np
import tensorflow as tf

OLD = keras.__version__.startswith("2.")
layers = keras.layers


@keras.utils.register_keras_serializable(package="zoo")
class Scale(layers.Layer):
    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, shape):
        self.w = self.add_weight(name="w", shape=(shape[-1],), initializer="ones")

    def call(self, x):
        return x * self.factor * self.w

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


def image():
    return keras.Sequential(
        [
            layers.Input((8, 8, 2), name="pixels"),
            layers.Conv2D(4, (3, 2), activation="relu", name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.MaxPooling2D(name="pool"),
            layers.DepthwiseConv2D(2, name="depthwise"),
            layers.Conv2DTranspose(3, 2, name="transposed"),
            layers.Flatten(name="flat"),
            layers.Dropout(0.3, name="drop"),
            layers.Dense(3, activation="softmax", name="head"),
        ]
    )


def words():
    text = keras.Input((5,), dtype="int32", name="words")
    x = layers.Embedding(10, 4, name="embedding")(text)
    x = layers.LSTM(3, return_sequences=True, recurrent_activation="hard_sigmoid", name="lstm")(x)
    x = layers.Bidirectional(layers.GRU(2, recurrent_activation="hard_sigmoid"), name="both")(x)
    return keras.Model(text, layers.Dense(2, name="head")(x))


def wrapped():
    """Layers within layers: in wrappers, in lists of cells, and a whole model in a wrapper."""
    x = keras.Input((3, 5, 4), name="x")
    cells = layers.RNN([layers.LSTMCell(3, recurrent_activation="hard_sigmoid"), layers.GRUCell(2)], return_sequences=True, name="cells")
    inner = keras.Sequential([layers.Input((5, 4)), cells, layers.Bidirectional(layers.LSTM(3), name="both")], name="inner")
    backward = layers.LSTM(2, return_sequences=True, go_backwards=True, name="backward")
    both = layers.Bidirectional(layers.GRU(2, return_sequences=True, name="forward"), backward_layer=backward, name="two")
    each = layers.Dense(2, kernel_initializer="identity", activation=layers.LeakyReLU(name="leaky"), name="head")
    return keras.Model(x, layers.TimeDistributed(each, name="each")(both(layers.TimeDistributed(inner, name="within")(x))))


def several():
    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    difference = layers.Dense(3, name="difference")(layers.Subtract(name="minus")([left, right]))
    return keras.Model([right, left], [layers.Dense(2, name="own")(left), difference])


def nested():
    inner = keras.Sequential(
        [layers.Input((4,)), layers.Dense(5, activation="relu", name="a"), layers.BatchNormalization(name="b")], name="inner"
    )
    x = keras.Input((4,), name="x")
    both = layers.Add(name="add")([inner(x), inner(layers.Rescaling(2.0, name="twice")(x))])
    return keras.Model(x, layers.Dense(2, name="head")(both))


def attention():
    x = keras.Input((3, 4), name="x")
    return keras.Model(x, layers.MultiHeadAttention(2, 3, name="attention")(x, x))


def mixed():
    x = keras.Input((4,), name="x")
    return keras.Model(x, layers.Dense(2, dtype="float32", name="head")(layers.Dense(8, dtype="mixed_float16", name="half")(x)))


def bytecode():
    x = keras.Input((4,), name="x")
    return keras.Model(x, layers.Lambda(lambda t: t * 2.0, output_shape=(4,), name="doubled")(x))


def custom():
    x = keras.Input((4,), name="x")
    return keras.Model(x, layers.Dense(2, name="head")(Scale(3.0, name="scaled")(x)))


def operations():
    x = keras.Input((4,), name="x")
    return keras.Model(x, tf.nn.relu(x) * 2 if OLD else keras.ops.multiply(keras.ops.relu(x), 2))


def answer(model):
    """Inputs by position, and the model's answers."""
    random = np.random.default_rng(0)
    shapes = [tuple(t.shape)[1:] for t in model.inputs]
    whole = ["int" in str(getattr(t.dtype, "name", t.dtype)) for t in model.inputs]
    inputs = [
        random.integers(0, 9, (3, *s)).astype(np.int32) if w else random.standard_normal((3, *s)).astype(np.float32)
        for s, w in zip(shapes, whole, strict=True)
    ]
    outputs = tf.nest.flatten(model(inputs if len(inputs) > 1 else inputs[0], training=False))
    return inputs, [np.asarray(o) for o in outputs]


def record(path, model):
    inputs, outputs = answer(model)
    np.savez(
        path.with_name(f"{path.name}.npz"), **{f"i{n}": a for n, a in enumerate(inputs)}, **{f"o{n}": a for n, a in enumerate(outputs)}
    )


def shake(model):
    """Weights with an effect: biases, means and variances are not zeros and ones."""
    random = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(random.uniform(0.1, 0.9, tuple(weight.shape)).astype(np.float32))


def main(folder):
    keras.utils.set_random_seed(0)
    for make in (image, words, wrapped, several, nested, attention, mixed, bytecode, custom, operations):
        model = make()
        shake(model)
        for suffix in (".h5", ".keras"):
            path = folder / f"{make.__name__}{suffix}"
            model.save(path)
            record(path, model)
        model.save_weights(folder / f"{make.__name__}.weights.h5")
    if OLD:
        early_files(folder)


def early_files(folder):
    """Files of Keras 2.0 and Keras 1: Sequentials as a plain list, other names of arguments, a weight for each gate."""
    plain = keras.Sequential([layers.Dense(4, activation="relu", input_shape=(3,), name="a"), layers.Dense(2, name="b")])
    shake(plain)
    _save(
        folder / "plain_list.h5",
        plain,
        lambda config: {**config, "config": [n for n in config["config"]["layers"] if n["class_name"] != "InputLayer"]},
    )

    within = wrapped()
    shake(within)
    _save(folder / "keras_2_4_wrapped.h5", within, without_modules)

    vision = keras.Sequential(
        [
            layers.Conv2D(4, (3, 2), padding="same", activation="relu", input_shape=(8, 8, 2), name="convolution2d_1"),
            layers.MaxPooling2D(name="maxpooling2d_1"),
            layers.Conv2DTranspose(3, 2, name="deconvolution2d_1"),
            layers.BatchNormalization(name="batchnormalization_1"),
            layers.Flatten(name="flatten_1"),
            layers.Dropout(0.5, name="dropout_1"),
            layers.Dense(3, activation="softmax", name="dense_1"),
        ]
    )
    shake(vision)
    _save(folder / "keras1_vision.h5", vision, to_keras_1, first=True)

    text = keras.Input((6,), dtype="int32", name="text")
    x = layers.Embedding(10, 4, name="embedding_1")(text)
    x = layers.Conv1D(5, 3, activation="relu", name="convolution1d_1")(x)
    one = layers.LSTM(3, recurrent_activation="hard_sigmoid", name="lstm_1")(x)
    two = layers.GRU(3, recurrent_activation="hard_sigmoid", reset_after=False, name="gru_1")(x)
    merged = layers.Concatenate(name="merge_1")([one, two])
    recurrent = keras.Model(text, layers.Dense(2, name="dense_1")(merged))
    shake(recurrent)
    _save(folder / "keras1_recurrent.h5", recurrent, to_keras_1, first=True)


def without_modules(node):
    """The config as Keras before 2.13 wrote it: by the names of classes alone."""
    if isinstance(node, list):
        return [without_modules(n) for n in node]
    if not isinstance(node, dict):
        return node
    return {k: without_modules(v) for k, v in node.items() if k not in ("module", "registered_name", "build_config")}


_KERAS_1 = {
    "Conv2D": ("Convolution2D", {"filters": "nb_filter", "strides": "subsample", "padding": "border_mode", "use_bias": "bias"}),
    "Conv1D": ("Convolution1D", {"filters": "nb_filter", "padding": "border_mode", "use_bias": "bias"}),
    "Conv2DTranspose": ("Deconvolution2D", {"filters": "nb_filter", "strides": "subsample", "padding": "border_mode", "use_bias": "bias"}),
    "MaxPooling2D": ("MaxPooling2D", {"padding": "border_mode"}),
    "Dense": ("Dense", {"units": "output_dim", "use_bias": "bias"}),
    "Dropout": ("Dropout", {"rate": "p"}),
    "LSTM": ("LSTM", {"units": "output_dim", "recurrent_activation": "inner_activation"}),
    "GRU": ("GRU", {"units": "output_dim", "recurrent_activation": "inner_activation"}),
    "Embedding": ("Embedding", {"input_dim": "input_dim", "output_dim": "output_dim"}),
    "BatchNormalization": ("BatchNormalization", {}),
    "Flatten": ("Flatten", {}),
    "Concatenate": ("Merge", {}),
}
_KEPT = (
    "name",
    "trainable",
    "activation",
    "batch_input_shape",
    "pool_size",
    "strides",
    "epsilon",
    "momentum",
    "axis",
    "return_sequences",
    "go_backwards",
)


def to_keras_1(config):
    """The config as Keras 1.2 would have written it."""
    if config["class_name"] == "Sequential":
        shape = next(n["config"]["batch_input_shape"] for n in config["config"]["layers"] if n["class_name"] == "InputLayer")
        nodes = [_layer_to_1(n) for n in config["config"]["layers"] if n["class_name"] != "InputLayer"]
        nodes[0]["config"] |= {"batch_input_shape": shape, "input_dtype": "float32"}
        return {"class_name": "Sequential", "config": nodes}
    inside = dict(config["config"])
    inside["layers"] = [n if n["class_name"] == "InputLayer" else _layer_to_1(n) for n in inside["layers"]]
    for node in inside["layers"]:
        node["inbound_nodes"] = [[t[:3] for t in call] for call in node["inbound_nodes"]]
    return {"class_name": "Model", "config": inside}


def _layer_to_1(node):
    kind, renamed = _KERAS_1[node["class_name"]]
    old = node["config"]
    new = {k: v for k, v in old.items() if k in _KEPT} | {now: old[name] for name, now in renamed.items()}
    if node["class_name"] in ("Conv2D", "Conv2DTranspose"):
        new["nb_row"], new["nb_col"] = old["kernel_size"]
        new |= {
            "init": "glorot_uniform",
            "dim_ordering": "tf",
            "W_regularizer": {"name": "WeightRegularizer", "l1": 0.0, "l2": 0.01},
            "b_constraint": None,
        }
        new.pop("strides", None)
    if node["class_name"] == "Conv1D":
        new |= {"filter_length": old["kernel_size"][0], "subsample_length": 1, "init": "uniform", "input_dim": 4, "input_length": None}
        new.pop("strides", None)
    if node["class_name"] == "Conv2DTranspose":
        new["output_shape"] = [None, 5, 5, 3]
    if node["class_name"] == "MaxPooling2D":
        new["dim_ordering"] = "tf"
    if node["class_name"] in ("LSTM", "GRU"):
        new |= {
            "init": "glorot_uniform",
            "inner_init": "orthogonal",
            "dropout_W": 0.0,
            "dropout_U": 0.0,
            "consume_less": "cpu",
            "stateful": False,
        }
        new |= {"unroll": False, "input_dim": 5, "input_length": None} | ({"forget_bias_init": "one"} if kind == "LSTM" else {})
    if node["class_name"] == "BatchNormalization":
        new |= {"mode": 0, "gamma_regularizer": None, "axis": -1}
    if node["class_name"] == "Embedding":
        new |= {"init": "uniform", "mask_zero": False, "dropout": 0.0, "input_length": None, "input_dtype": "int32"}
    if kind == "Merge":
        new = {
            "name": old["name"],
            "mode": "concat",
            "concat_axis": -1,
            "dot_axes": -1,
            "mode_type": "raw",
            "output_shape": None,
            "arguments": {},
        }
    return {**node, "class_name": kind, "config": new}


def weights_to_1(kind, arrays):
    if kind == "Conv1D":
        return [arrays[0][:, None], arrays[1]]
    if kind == "Conv2DTranspose":
        return [arrays[0].transpose(0, 1, 3, 2), arrays[1]]
    if kind == "GRU":
        gates = [np.split(a, 3, axis=-1) for a in arrays]
        return [gates[part][gate] for gate in range(3) for part in range(3)]
    if kind == "LSTM":
        i, f, c, o = range(4)
        gates = [np.split(a, 4, axis=-1) for a in arrays]
        return [gates[part][gate] for gate in (i, c, f, o) for part in range(3)]
    return arrays


def _save(path, model, change, first=False):
    model.save(path)
    record(path, model)
    kinds = {layer.name: type(layer).__name__ for layer in model.layers}
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = json.dumps(change(json.loads(file.attrs["model_config"])))
        group = file["model_weights"]
        for place in (file, group):
            place.attrs["keras_version"] = "1.2.2" if first else "2.0.8"
        if first:
            del file.attrs["keras_version"]
            for name in group.attrs["layer_names"] if first else ():
                layer = group[name]
                arrays = (
                    weights_to_1(kinds[name], [layer[w][()] for w in layer.attrs["weight_names"]])
                    if len(layer.attrs["weight_names"])
                    else []
                )
                for key in list(layer):
                    del layer[key]
                for at, array in enumerate(arrays):
                    layer.create_dataset(f"{name}_{at}", data=array)
                layer.attrs["weight_names"] = np.array([f"{name}_{at}" for at in range(len(arrays))], "S")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
