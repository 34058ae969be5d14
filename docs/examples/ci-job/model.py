# /// script
# requires-python = ">=3.10,<3.14"
# dependencies = ["tensorflow-cpu==2.21.0", "keras==3.15.1"]
# ///
"""The model that the job checks: a day's demand for bicycles, trained on data that NumPy makes with a fixed seed."""

import keras
import numpy as np

DAYS = 400


def model() -> tuple[keras.Model, dict[str, np.ndarray]]:
    """The trained model, and 8 days as example inputs."""
    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    weather = random.uniform(0, 1, (DAYS, 3)).astype(np.float32)  # temperature, rain, wind
    demand = weather @ np.array([[3.0], [-2.0], [-0.5]]) + 2 + random.normal(0, 0.1, (DAYS, 1))
    inputs = keras.Input((3,), name="weather")
    hidden = keras.layers.Dense(16, activation="tanh")(inputs)
    made = keras.Model(inputs, keras.layers.Dense(1, name="demand")(hidden), name="bicycles")
    made.compile(keras.optimizers.Adam(0.02), "mse")
    made.fit(weather, demand, epochs=15, batch_size=32, verbose=0)
    print(f"mean squared error: {made.evaluate(weather, demand, verbose=0):.3f}", flush=True)
    return made, {"weather": weather[:8]}
