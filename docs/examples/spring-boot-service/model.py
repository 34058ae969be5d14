# /// script
# requires-python = ">=3.10,<3.14"
# dependencies = ["tensorflow-cpu==2.21.0", "keras==3.15.1"]
# ///
"""A small Keras model: is a message spam? It reads messages of any length, as rows of word ids; 0 fills a row up."""

import keras
import numpy as np

WORDS = 40  # ids 1 to 9 are words of spam, 10 to 39 are other words
MESSAGES = 600


def messages() -> tuple[np.ndarray, np.ndarray]:
    """Messages of 4 to 12 words, and 1 for one that holds at least two words of spam."""
    random = np.random.default_rng(0)
    words = np.zeros((MESSAGES, 12), np.int32)
    spam = random.integers(0, 2, (MESSAGES, 1))
    for row, is_spam in zip(words, spam[:, 0], strict=True):
        length = random.integers(4, 13)
        row[:length] = random.integers(10, WORDS, length)
        if is_spam:
            row[: random.integers(2, 4)] = random.integers(1, 10)
        random.shuffle(row[:length])
    return words, spam


def model() -> tuple[keras.Model, dict[str, np.ndarray]]:
    """The trained model, and 16 messages as example inputs: their answers are recorded, too."""
    keras.utils.set_random_seed(0)
    words, spam = messages()
    ids = keras.Input((None,), dtype="int32", name="words")
    summed = keras.layers.GlobalMaxPooling1D()(keras.layers.Embedding(WORDS, 8)(ids))
    made = keras.Model(ids, keras.layers.Dense(1, activation="sigmoid", name="spam")(summed), name="spam")
    made.compile(keras.optimizers.Adam(0.05), "binary_crossentropy", metrics=["accuracy"])
    made.fit(words, spam, epochs=10, batch_size=32, verbose=0)
    print(f"accuracy: {made.evaluate(words, spam, verbose=0)[1]:.1%} of {MESSAGES} messages", flush=True)
    return made, {"words": words[:16]}
