"""The base class of the kit's errors, each a whole sentence; tf_process distinguishes them by it from TensorFlow's exceptions."""


class KitError(Exception):
    """A file or a model that cannot be used: one sentence with the cause and the fix."""
