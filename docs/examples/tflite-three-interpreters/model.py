# /// script
# requires-python = ">=3.10,<3.14"
# dependencies = ["tensorflow-cpu==2.21.0", "keras==3.15.1"]
# ///
"""A small network for a microcontroller: which gesture is it? It is trained here, on curves that NumPy makes with a fixed seed."""

from pathlib import Path

import keras
import numpy as np

SAMPLES, POINTS = 480, 32


def gestures() -> tuple[np.ndarray, np.ndarray]:
    """Acceleration in one axis over time, with noise: a shake, a push or rest."""
    random = np.random.default_rng(0)
    kinds = random.integers(0, 3, SAMPLES)
    time = np.linspace(0, 1, POINTS)
    shapes = np.stack([np.sin(6 * np.pi * time), np.exp(-40 * (time - 0.5) ** 2), np.zeros(POINTS)])
    curves = shapes[kinds] * random.uniform(0.6, 1.4, (SAMPLES, 1)) + random.normal(0, 0.2, (SAMPLES, POINTS))
    return curves.astype(np.float32)[:, :, np.newaxis, np.newaxis], kinds


def model() -> keras.Model:
    """The trained model. Writes three of the held-out curves as own/1.npz to own/3.npz, one request each."""
    keras.utils.set_random_seed(0)
    curves, kinds = gestures()
    train, held_out = slice(0, 400), slice(400, SAMPLES)
    acceleration = keras.Input((POINTS, 1, 1), name="acceleration")
    x = keras.layers.Conv2D(8, (5, 1), activation="relu")(acceleration)
    x = keras.layers.MaxPooling2D((4, 1))(x)
    x = keras.layers.Flatten()(x)
    made = keras.Model(acceleration, keras.layers.Dense(3, activation="softmax", name="gesture")(x), name="gestures")
    made.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    made.fit(curves[train], kinds[train], epochs=10, batch_size=32, verbose=0)
    print(f"held-out accuracy: {made.evaluate(curves[held_out], kinds[held_out], verbose=0)[1]:.1%}", flush=True)
    own = Path(__file__).with_name("own")
    own.mkdir(exist_ok=True)
    for at in (1, 2, 3):
        np.savez(own / f"{at}.npz", acceleration=curves[-at:][:1])
    return made
