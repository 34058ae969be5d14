"""Uses keras_files like a worker, in a process with Keras, and prints the result as one JSON object (see the functions)."""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
sys.path.insert(0, str(Path(__file__).parents[3] / "python"))
sys.path.insert(0, str(Path(__file__).parents[2] / "corpus"))

import keras
import numpy as np
import tensorflow as tf

from crossload.workers.kit import keras_files


def load(allow_code, custom, *files):
    """By file: the largest difference from the answers recorded beside it, or the sentence of the refusal."""
    found = {}
    for file in files:
        try:
            found[file] = difference(keras_files.load(file, custom_objects=custom or None, allow_code=allow_code == "yes"), file)
        except keras_files.CannotLoad as error:
            found[file] = str(error)
    return found


def describe(allow_code, custom, *files):
    """By file: names and shapes of inputs, how many outputs, how many values in weights."""
    found = {}
    for file in files:
        model = keras_files.load(file, custom_objects=custom or None, allow_code=allow_code == "yes")
        inputs = [[t.name, [-1 if d is None else d for d in t.shape]] for t in model.inputs]
        found[file] = (inputs, len(model.outputs), sum(int(np.prod(w.shape)) for w in model.weights))
    return found


def weights(*folders):
    """Files of weights in new models: in order, by name, and with misfits."""
    import keras_zoo

    wrong, checked = [], 0
    for folder in folders:
        for name in ("image", "several", "nested", "attention"):
            for suffix in (".h5", ".keras", ".weights.h5"):
                model = getattr(keras_zoo, name)()
                report = keras_files.load_weights(model, Path(folder) / f"{name}{suffix}", by_name=suffix == ".h5")
                checked += 1
                if report.problems() or difference(model, Path(folder) / f"{name}.h5") > 2e-5:
                    wrong.append(f"{folder}/{name}{suffix}")
    for name in ("keras1_vision", "keras1_recurrent"):
        file = Path(folders[0]) / f"{name}.h5"
        model = keras_files.load(file)
        for weight in model.weights:
            weight.assign(weight * 0)
        keras_files.load_weights(model, file)
        if difference(model, file) > 2e-6:
            wrong.append(str(file))
    found = {"wrong": wrong, "checked": checked}
    try:
        keras_files.load_weights(keras_zoo.words(), Path(folders[0]) / "image.h5")
    except keras_files.CannotLoad as error:
        found["other model"] = str(error)
    left = keras.Input((4,), name="left")
    new = keras.Model(left, [keras.layers.Dense(2, name="own")(left), keras.layers.Dense(7, name="fresh")(left)])
    before = np.asarray(new.get_layer("fresh").weights[0])
    found["by name"] = asdict(keras_files.load_weights(new, Path(folders[0]) / "several.h5", by_name=True))
    found["kept"] = bool(np.array_equal(before, np.asarray(new.get_layer("fresh").weights[0])))
    return found


def difference(model, file):
    recorded = np.load(f"{file}.npz")
    inputs = [recorded[f"i{n}"] for n in range(len(model.inputs))]
    outputs = [np.asarray(o) for o in tf.nest.flatten(model(inputs if len(inputs) > 1 else inputs[0], training=False))]
    return max(float(np.abs(recorded[f"o{n}"] - o).max()) for n, o in enumerate(outputs))


if __name__ == "__main__":
    print(json.dumps({"load": load, "describe": describe, "weights": weights}[sys.argv[1]](*sys.argv[2:])))
