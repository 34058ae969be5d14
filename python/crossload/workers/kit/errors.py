"""The base of what the kit raises with a whole sentence: tf_process tells it from TensorFlow's own exceptions by this class."""


class KitError(Exception):
    """A file or a model that cannot be used: one sentence with the cause and what mends it."""
