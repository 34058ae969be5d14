"""The text of `show` for an HDF5 file that holds a Keras model."""

from crossload.cli.pages.keras import lines

__all__ = ["lines"]
