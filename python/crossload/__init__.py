"""crossload: proves that a model exported in Python loads and predicts the same in Java, on phones and on microcontrollers.

The names here import what they need when they are first used: `import crossload` itself costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["CrossloadError", "convert", "export", "features_of", "handoff", "load", "tf_example", "verify"]

_HOMES = {
    "CrossloadError": "crossload.errors",
    "convert": "crossload.verbs.convert.convert",
    "export": "crossload.verbs.export.export",
    "features_of": "crossload.inputs.tf_example",
    "handoff": "crossload.verbs.handoff.java.project",
    "load": "crossload.model",
    "tf_example": "crossload.inputs.tf_example",
    "verify": "crossload.verbs.verify.verify",
}

if TYPE_CHECKING:
    from crossload.errors import CrossloadError
    from crossload.inputs.tf_example import features_of, tf_example
    from crossload.model import load
    from crossload.verbs.convert.convert import convert
    from crossload.verbs.export.export import export
    from crossload.verbs.handoff.java.project import handoff
    from crossload.verbs.verify.verify import verify


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'crossload' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
