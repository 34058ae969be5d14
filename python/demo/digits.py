# /// script
# requires-python = ">=3.10,<3.14"
# dependencies = ["tensorflow-cpu==2.21.0", "keras==3.15.1", "scikit-learn==1.7.2"]
# ///
"""The demo's model: a small convolutional classifier, trained on the 1,797 handwritten digits that scikit-learn ships.

`crossload export python/demo/digits.py:classifier -o digits` trains it in the environment declared above and bundles it.
"""

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

EPOCHS = 12


def classifier() -> tuple[keras.Model, dict[str, np.ndarray]]:
    """The trained model (`pixels` [-1, 8, 8, 1] in [0, 1] to `probabilities` [-1, 10]) and 16 held-out digits as example inputs."""
    keras.utils.set_random_seed(0)
    digits = load_digits()
    images = (digits.images / 16.0).astype(np.float32)[..., np.newaxis]
    train_x, test_x, train_y, test_y = train_test_split(images, digits.target, test_size=0.2, random_state=0, stratify=digits.target)

    pixels = keras.Input((8, 8, 1), name="pixels")
    x = keras.layers.Conv2D(16, 3, padding="same", activation="relu")(pixels)
    x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    x = keras.layers.Flatten()(x)
    probabilities = keras.layers.Dense(10, activation="softmax", name="probabilities")(x)
    model = keras.Model(pixels, probabilities, name="digits")
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])

    print(f"training on {len(train_x)} handwritten digits, {EPOCHS} epochs", flush=True)
    for epoch in range(1, EPOCHS + 1):
        history = model.fit(train_x, train_y, initial_epoch=epoch - 1, epochs=epoch, batch_size=32, verbose=0).history
        print(f"  epoch {epoch}/{EPOCHS}: training accuracy {history['accuracy'][0]:.1%}", flush=True)
    accuracy = model.evaluate(test_x, test_y, verbose=0)[1]
    print(f"held-out accuracy: {accuracy:.1%} on {len(test_x)} digits the model has not seen", flush=True)
    if accuracy < 0.95:
        raise ValueError(f"the held-out accuracy is {accuracy:.1%}, below the 95 % that this demo promises")
    return model, {"pixels": test_x[:16]}
