"""crossload: proves that a model exported in Python loads and predicts the same in Java, on phones and on microcontrollers.

The names here import what they need when they are first used: `import crossload` itself costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["CrossloadError", "convert", "export", "features_of", "handoff", "load", "tf_example", "verify"]

_HOMES = {
    "CrossloadError": "crossload.errors",
    "convert": "crossload.conversion",
    "export": "crossload.exporters.bundle",
    "features_of": "crossload.inputs.tf_example",
    "handoff": "crossload.handoffs.java",
    "load": "crossload.model",
    "tf_example": "crossload.inputs.tf_example",
    "verify": "crossload.verification",
}

if TYPE_CHECKING:
    from crossload.conversion import convert
    from crossload.errors import CrossloadError
    from crossload.exporters.bundle import export
    from crossload.handoffs.java import handoff
    from crossload.inputs.tf_example import features_of, tf_example
    from crossload.model import load
    from crossload.verification import verify


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'crossload' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
