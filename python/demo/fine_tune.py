# /// script
# requires-python = ">=3.10,<3.14"
# dependencies = ["tensorflow-cpu==2.21.0", "keras==3.15.1", "scikit-learn==1.7.2"]
# ///
"""A new task on the demo's frozen graph: its layers stay as they are, and a new head learns to tell odd digits from even ones.

`crossload export python/demo/fine_tune.py:model -o parity` trains the head on real data and bundles the result, with the earlier graph
inside. $FROZEN_GRAPH names another frozen graph of the same model, instead of the one from `make demo`.
"""

import os
from pathlib import Path

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from crossload.tf_process.frozen_function import frozen_function

FROZEN_GRAPH = Path(os.environ.get("FROZEN_GRAPH") or Path(__file__).parents[2] / "build" / "demo" / "digits" / "frozen_graph.pb")
# What the head of ten digits takes; `crossload show frozen_graph.pb --nodes` lists a graph's tensors.
FEATURES = "StatefulPartitionedCall/call/StatefulPartitionedCall/digits_1/flatten_1/Reshape:0"
EPOCHS = 15


def model() -> tuple[keras.Model, dict[str, np.ndarray]]:
    """The model (`pixels` [-1, 8, 8, 1] in [0, 1] to `odd` [-1, 1], a probability) and 16 held-out digits as example inputs."""
    if not FROZEN_GRAPH.exists():
        raise FileNotFoundError(f"{FROZEN_GRAPH} does not exist: `make demo` writes it")
    keras.utils.set_random_seed(0)
    digits = load_digits()
    images, odd = (digits.images / 16.0).astype(np.float32)[..., np.newaxis], digits.target % 2
    # The same digits are held out as when the graph was trained, so neither part of the model has seen them.
    train_x, test_x, train_y, test_y = train_test_split(images, odd, test_size=0.2, random_state=0, stratify=digits.target)

    pixels = keras.Input((8, 8, 1), name="pixels")
    features = keras.layers.Lambda(frozen_function(FROZEN_GRAPH, "serving_default_pixels", FEATURES), name="features")(pixels)
    hidden = keras.layers.Dense(32, activation="relu", name="hidden")(features)
    made = keras.Model(pixels, keras.layers.Dense(1, activation="sigmoid", name="odd")(hidden), name="parity")
    made.compile(keras.optimizers.Adam(0.003), "binary_crossentropy", metrics=["accuracy"])

    trained = sum(int(np.prod(w.shape)) for w in made.trainable_weights)
    before = made.evaluate(test_x, test_y, verbose=0)[1]
    print(f"training a head of {trained} weights on {len(train_x)} handwritten digits, {EPOCHS} epochs", flush=True)
    made.fit(train_x, train_y, epochs=EPOCHS, batch_size=32, verbose=0)
    after = made.evaluate(test_x, test_y, verbose=0)[1]
    print(f"held-out accuracy, odd or even: {before:.1%} before, {after:.1%} after, on {len(test_x)} digits", flush=True)
    if after < 0.95:
        raise ValueError(f"the held-out accuracy is {after:.1%}, below the 95 % that this demo promises")
    return made, {"pixels": test_x[:16]}
