"""Which Keras a live model is of, without importing any."""

from __future__ import annotations

from typing import Any


def is_keras(model: Any) -> bool:
    """Whether this is a model of Keras 3 or of tf-keras (Keras 2), imported or not."""
    return any(c.__name__ == "Model" and c.__module__.split(".")[0] in ("keras", "tf_keras") for c in type(model).__mro__)


def is_keras_2(model: Any) -> bool:
    """Whether it is tf-keras', or that of a TensorFlow before Keras 3."""
    if any(c.__module__.startswith("tf_keras") for c in type(model).__mro__):
        return True
    import keras

    return bool(keras.__version__.startswith("2."))
