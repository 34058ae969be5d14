# /// script
# requires-python = ">=3.10,<3.14"
# dependencies = ["tensorflow-cpu==2.21.0", "keras==3.15.1"]
# ///
"""A small Keras model: is a pump worn? It is trained here, on measurements that NumPy makes with a fixed seed."""

import keras
import numpy as np

PUMPS = 600


def measurements() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Vibration in three axes (mm/s) and temperature (°C) of each pump, and 1 for a pump that is worn."""
    random = np.random.default_rng(0)
    worn = random.integers(0, 2, (PUMPS, 1))
    vibration = random.normal(2.0, 0.6, (PUMPS, 3)) + worn * [1.5, 1.0, 0.5]
    temperature = random.normal(60.0, 5.0, (PUMPS, 1)) + 8.0 * worn
    return {"vibration": vibration.astype(np.float32), "temperature": temperature.astype(np.float32)}, worn


def model() -> tuple[keras.Model, dict[str, np.ndarray]]:
    """The trained model, and 16 pumps as example inputs: their answers are recorded, too."""
    keras.utils.set_random_seed(0)
    features, worn = measurements()
    vibration = keras.Input((3,), name="vibration")
    temperature = keras.Input((1,), name="temperature")
    scaled = keras.layers.Rescaling(0.1, offset=-6.0)(temperature)
    hidden = keras.layers.Dense(8, activation="relu")(keras.layers.Concatenate()([vibration, scaled]))
    made = keras.Model([vibration, temperature], keras.layers.Dense(1, activation="sigmoid", name="worn")(hidden), name="pump")
    made.compile(keras.optimizers.Adam(0.02), "binary_crossentropy", metrics=["accuracy"])
    made.fit(features, worn, epochs=15, batch_size=32, verbose=0)
    print(f"accuracy: {made.evaluate(features, worn, verbose=0)[1]:.1%} of {PUMPS} pumps", flush=True)
    return made, {name: values[:16] for name, values in features.items()}
