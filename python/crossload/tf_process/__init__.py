"""Exporters: a model becomes a bundle. `bundle` leads and imports no TensorFlow; what it has done in a TensorFlow process does."""


class CannotExport(Exception):
    """What keeps a model from being exported, and what its author can do."""
