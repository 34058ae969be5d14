"""Keras models that begin with TextVectorization, one for each output mode: `python make_text_vectorizers.py FOLDER`, with TensorFlow."""

import sys
from pathlib import Path

import keras
import numpy as np

TEXTS = np.array(["good film", "bad film", "awful bad acting", "very good plot good"])


def main(folder: Path) -> None:
    """Write a SavedModel for each mode: the vector itself, and a score of it."""
    keras.utils.set_random_seed(1)
    for mode in ("int", "multi_hot", "count", "tf_idf"):
        vectorize = keras.layers.TextVectorization(output_mode=mode, **({"output_sequence_length": 6} if mode == "int" else {}))
        vectorize.adapt(TEXTS)
        text = keras.Input((), dtype="string", name="text")
        vector = keras.ops.cast(vectorize(text), "float32")
        keras.Model(text, keras.layers.Dense(2, name="scores")(vector)).export(str(folder / mode), verbose=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
