"""The model whose calls `make bench` times in Java: a signature for each size of call, which computes little."""

from __future__ import annotations

import tensorflow as tf


class Calls(tf.Module):  # type: ignore[misc]
    """A digit, 2.4 MB in and out, three tensors of tokens as BERT takes them, and texts."""

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 1], tf.float32, "x")])  # type: ignore[misc]
    def digit(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        """Ten numbers of an image of 64."""
        return {"y": tf.nn.softmax(tf.reshape(x, [-1, 64])[:, :10])}

    @tf.function(input_signature=[tf.TensorSpec([None, 224, 224, 3], tf.float32, "x")])  # type: ignore[misc]
    def image(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        """As many numbers as come in."""
        return {"y": x * 2.0}

    @tf.function(input_signature=[tf.TensorSpec([None, 128], tf.int32, n) for n in ("input_ids", "input_mask", "segment_ids")])  # type: ignore[misc]
    def bert(self, input_ids: tf.Tensor, input_mask: tf.Tensor, segment_ids: tf.Tensor) -> dict[str, tf.Tensor]:
        """One number for each token."""
        return {"y": tf.cast(input_ids * input_mask + segment_ids, tf.float32)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "x")])  # type: ignore[misc]
    def texts(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        """The texts in small letters."""
        return {"y": tf.strings.lower(x)}


def calls() -> Calls:
    """The model, for `crossload export`."""
    return Calls()
