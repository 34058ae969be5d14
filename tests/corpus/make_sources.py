"""One small trained-like model in every format, for the tests of convert: `python make_sources.py FOLDER`, with TensorFlow."""

import sys
from pathlib import Path

import keras
import numpy as np

from crossload.tf_process import freeze, live_models, saved_model_builder, saver


def main(folder: Path) -> None:
    keras.utils.set_random_seed(3)
    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    joined = keras.layers.Subtract()([left, right])
    scores = keras.layers.Dense(3, activation="softmax", name="scores")(keras.layers.Dense(5, activation="tanh")(joined))
    model = keras.Model([left, right], [scores, keras.layers.Rescaling(2.0, name="twice")(joined)])
    model(tuple(np.ones((1, 4), np.float32) for _ in range(2)))
    model.save(folder / "model.keras")
    model.save(folder / "model.h5")
    live_models.save(model, folder / "saved_model")
    bindings = saved_model_builder.bindings_of(folder / "saved_model")
    freeze.of_saved_model(folder / "saved_model", folder / "graph.pb", bindings, {"tags": ["serve"]})
    saver.of_saved_model(folder / "saved_model", folder / "checkpoint", bindings, {"tags": ["serve"], "global_step": 12})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
