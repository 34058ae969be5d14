"""The steps of TensorFlow's process by name (runtimes.tf_process.StepName); each imports what it needs, for Keras takes seconds.

A step is called with (source: Path, target: Path, bindings: dict, options: dict), and returns the bindings of what it made, or None
where the artifact says them itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Bindings = dict[str, Any] | None


def export_source(*job: Any) -> Bindings:
    """The model that a function of a Python file returns, as a SavedModel."""
    from crossload.tf_process import live_models

    live_models.of_python(*job)
    return None


def export_keras(*job: Any) -> Bindings:
    """A Keras file as a SavedModel."""
    from crossload.tf_process import keras_models

    return keras_models.to_saved_model(*job)


def save_keras(*job: Any) -> Bindings:
    """A Keras file in another of Keras's formats."""
    from crossload.tf_process import keras_models

    return keras_models.to_keras(*job)


def build_from_meta_graph(*job: Any) -> Bindings:
    """A .meta with its checkpoint as a SavedModel."""
    from crossload.tf_process import saved_model_builder

    return saved_model_builder.of_meta_graph(*job)


def build_from_graph_def(*job: Any) -> Bindings:
    """A frozen graph as a SavedModel."""
    from crossload.tf_process import saved_model_builder

    return saved_model_builder.of_graph_def(*job)


def freeze_saved_model(*job: Any) -> Bindings:
    """A SavedModel as a frozen graph."""
    from crossload.tf_process import freeze

    return freeze.of_saved_model(*job)


def freeze_meta_graph(*job: Any) -> Bindings:
    """A .meta with its checkpoint as a frozen graph."""
    from crossload.tf_process import freeze

    return freeze.of_meta_graph(*job)


def freeze_graph_def(*job: Any) -> Bindings:
    """The part of a graph that its signatures need."""
    from crossload.tf_process import freeze

    return freeze.of_graph_def(*job)


def convert_saved_model(*job: Any) -> Bindings:
    """A SavedModel as a .tflite."""
    from crossload.tf_process import tflite

    return tflite.saved_model_to_tflite(*job)


def convert_graph_def(*job: Any) -> Bindings:
    """A frozen graph as a .tflite."""
    from crossload.tf_process import tflite

    return tflite.graph_def_to_tflite(*job)


def sign_functions(*job: Any) -> Bindings:
    """A SavedModel with functions of its objects as signatures."""
    from crossload.tf_process import signing

    signing.sign_functions(*job)
    return None


def save_checkpoint(*job: Any) -> Bindings:
    """The variables of a SavedModel as a checkpoint."""
    from crossload.tf_process import saver

    return saver.of_saved_model(*job)


STEPS: dict[str, Callable[..., Bindings]] = {
    step.__name__: step
    for step in (
        export_source,
        export_keras,
        save_keras,
        build_from_meta_graph,
        build_from_graph_def,
        freeze_saved_model,
        freeze_meta_graph,
        freeze_graph_def,
        convert_saved_model,
        convert_graph_def,
        save_checkpoint,
        sign_functions,
    )
}
