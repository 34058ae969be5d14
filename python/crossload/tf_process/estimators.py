"""Estimators (TensorFlow up to 2.15): exported with the inputs of their serving input receiver, raw tensors or tf.Examples."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from crossload.errors import ModelError
from crossload.tf_process import weights as values

_RECEIVERS = "tf.estimator.export.build_raw_serving_input_receiver_fn or build_parsing_serving_input_receiver_fn makes one"


def is_estimator(model: Any) -> bool:
    """Whether this is a tf.estimator.Estimator, of any release."""
    return hasattr(model, "export_saved_model") and hasattr(model, "model_dir")


def save(estimator: Any, receiver: Callable[[], Any] | None, target: Path, weights: Path | None = None) -> None:
    """Write the SavedModel `target` of the Estimator's latest checkpoint, or of `weights`. Raises ModelError."""
    if not callable(receiver):
        raise ModelError(
            "an Estimator alone does not define its inputs: return (estimator, serving_input_receiver_fn), "
            f"or (estimator, serving_input_receiver_fn, examples); {_RECEIVERS}"
        )
    if weights is None and estimator.latest_checkpoint() is None:
        raise ModelError(f"the Estimator has no checkpoint in {estimator.model_dir}: train it first, or name one with --weights")
    prefix = None if weights is None else values.checkpoint(weights).prefix
    with tempfile.TemporaryDirectory(prefix=".estimator-", dir=target.parent) as room:
        exported = estimator.export_saved_model(room, receiver, checkpoint_path=prefix)
        shutil.move(exported.decode() if isinstance(exported, bytes) else exported, target)


def explain(error: Exception) -> ModelError | None:
    """The error message for a source that uses Estimators in a newer TensorFlow; None for any other error."""
    if hasattr(tf, "estimator") or not isinstance(error, AttributeError | ImportError) or "estimator" not in str(error):
        return None
    return ModelError(
        f"TensorFlow {tf.__version__} has no tf.estimator, 2.15 was the last release with it; begin the source with a header "
        '(PEP 723): # /// script, # requires-python = ">=3.10,<3.12", # dependencies = ["tensorflow-cpu==2.15.1"], # ///'
    )
