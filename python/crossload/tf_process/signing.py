"""Signs functions of a SavedModel's objects: each becomes a signature, beside those that it has. Needs TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf

from crossload.errors import ModelError


def sign_functions(source: Path, target: Path, bindings: dict[str, Any], options: dict[str, Any]) -> None:
    """Write the SavedModel with `options["functions"]` (paths from the root object, by key) as signatures. Raises ModelError."""
    loaded = tf.saved_model.load(str(source), tags=options.get("tags"))
    signatures = dict(loaded.signatures) | {key: _traced(loaded, path) for key, path in options["functions"].items()}
    try:
        tf.saved_model.save(loaded, str(target), signatures=signatures)
    except (ValueError, TypeError) as error:
        raise ModelError(f"{', '.join(options['functions'].values())} cannot be a signature: {' '.join(str(error).split())}") from error


def _traced(loaded: Any, path: str) -> Any:
    """The function at a path, as it was traced for inference if it has several traces that differ in `training`."""
    found = loaded
    for name in path.split("."):
        found = getattr(found, name) if hasattr(found, name) else found[int(name) if name.isdecimal() else name]
    traces = getattr(found, "concrete_functions", [found])
    calm = [t for t in traces if not _training(t)]
    if len(calm or traces) > 1:
        said = "; ".join(str(t.structured_input_signature) for t in calm or traces)
        raise ModelError(f"{path} was traced for {len(calm or traces)} kinds of inputs, and a signature takes one: {said}")
    return (calm or traces)[0]


def _training(function: Any) -> bool:
    positional, named = function.structured_input_signature
    return named.get("training") is True or True in [a for a in positional if isinstance(a, bool)]
