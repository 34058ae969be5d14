"""The text of `show` for Keras weights without a model."""

from crossload.cli.pages.keras import lines

__all__ = ["lines"]
