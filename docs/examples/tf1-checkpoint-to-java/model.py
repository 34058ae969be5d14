# /// script
# requires-python = ">=3.10,<3.14"
# dependencies = ["tensorflow-cpu==2.21.0", "keras==3.15.1"]
# ///
"""A training job as TensorFlow 1 had them: placeholders, variables, a session, and a Saver that writes a checkpoint with its .meta."""

from pathlib import Path

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
HERE = Path(__file__).parent
LENGTH, WIDTH, STEPS = 8, 12, 200


def train() -> tuple[dict[str, object], dict[str, np.ndarray]]:
    """Trains for a second and writes checkpoint/model.ckpt-200, and reviews.npz: 16 reviews as inputs.

    Returns what `crossload export` asks for: the graph with its session, and the example inputs.
    """
    words = (HERE / "vocabulary.txt").read_text(encoding="utf-8").split()
    v1.set_random_seed(0)
    session = v1.Session(graph=tf.Graph())
    with session.graph.as_default():
        v1.set_random_seed(0)
        inputs = {name: v1.placeholder(tf.int32, [None, LENGTH], name) for name in ("input_ids", "input_mask", "segment_ids")}
        input_ids, input_mask, segment_ids = inputs.values()
        with v1.variable_scope("embeddings"):
            tokens = v1.get_variable("word_embeddings", [len(words), WIDTH], use_resource=False)
            segments = v1.get_variable("token_type_embeddings", [2, WIDTH], use_resource=False)
            embedded = tf.gather(tokens, input_ids) + tf.gather(segments, segment_ids)
        weight = tf.cast(input_mask, tf.float32)[..., tf.newaxis]
        mean = tf.reduce_sum(embedded * weight, 1) / tf.maximum(tf.reduce_sum(weight, 1), 1.0)
        with v1.variable_scope("classifier"):
            kernel, bias = v1.get_variable("kernel", [WIDTH, 2], use_resource=False), v1.get_variable("bias", [2], use_resource=False)
        logits = tf.matmul(mean, kernel) + bias
        probabilities = tf.nn.softmax(logits, name="probabilities")

        labels = v1.placeholder(tf.int32, [None], "labels")
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
        step = v1.train.get_or_create_global_step()
        learn = v1.train.AdamOptimizer(0.05).minimize(loss, global_step=step)
        session.run(v1.global_variables_initializer())
        ids, mask, liked = reviews(words)
        for _ in range(STEPS):
            session.run(learn, {input_ids: ids, input_mask: mask, segment_ids: np.zeros_like(ids), labels: liked})
        v1.train.Saver().save(session, str(HERE / "checkpoint" / "model.ckpt"), global_step=step)
    examples = {"input_ids": ids[:16], "input_mask": mask[:16], "segment_ids": np.zeros_like(ids[:16])}
    np.savez(HERE / "reviews.npz", **examples)
    return {"inputs": inputs, "outputs": {"probabilities": probabilities}, "session": session}, examples


def reviews(words: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """300 reviews of the vocabulary's words as ids, mask, and 1 for those with more good words than bad ones."""
    random = np.random.default_rng(0)
    lengths = random.integers(3, LENGTH + 1, (300, 1))
    mask = (np.arange(LENGTH) < lengths).astype(np.int32)
    ids = random.integers(3, len(words), (300, LENGTH)) * mask
    good, bad = words.index("great"), words.index("dull")
    score = ((ids >= good) & (ids < bad)).sum(1) - (ids >= bad).sum(1)
    return ids.astype(np.int32)[score != 0], mask[score != 0], (score[score != 0] > 0).astype(np.int32)
