# /// script
# requires-python = ">=3.10,<3.12"
# dependencies = ["tensorflow-cpu==2.15.1"]
# ///
"""An Estimator with its own model_fn and RunConfig, trained on two features and exported with either serving input receiver.

$ESTIMATOR_DIR is the folder for its checkpoints.
"""

import os
import tempfile

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
KINDS = 3


def _data():
    random = np.random.default_rng(0)
    sizes = random.normal(size=(64, 4)).astype(np.float32)
    kinds = random.integers(0, KINDS, 64)
    return {"sizes": sizes, "z_kind": kinds}, (sizes.sum(axis=1) + kinds > 1).astype(np.int64)


def _input_fn():
    return tf.data.Dataset.from_tensor_slices(_data()).repeat().batch(16)


def _model_fn(features, labels, mode, params):
    x = tf.concat([features["sizes"], tf.one_hot(features["z_kind"], KINDS)], axis=1, name="joined")
    hidden = v1.layers.dense(x, params["units"], activation=tf.nn.relu, name="hidden")
    logits = v1.layers.dense(hidden, 2, name="logits")
    probabilities = tf.nn.softmax(logits, name="probabilities")
    predictions = {"probabilities": probabilities, "class": tf.argmax(logits, axis=1)}
    if mode == tf.estimator.ModeKeys.PREDICT:
        outputs = {"serving_default": tf.estimator.export.PredictOutput(predictions)}
        return tf.estimator.EstimatorSpec(mode, predictions=predictions, export_outputs=outputs)
    loss = v1.losses.sparse_softmax_cross_entropy(labels, logits)
    train = v1.train.AdamOptimizer(0.05).minimize(loss, global_step=v1.train.get_global_step())
    return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=train)


def _estimator():
    folder = os.environ.get("ESTIMATOR_DIR") or tempfile.mkdtemp()
    config = tf.estimator.RunConfig(folder, tf_random_seed=1, save_checkpoints_steps=10, keep_checkpoint_max=2)
    return tf.estimator.Estimator(_model_fn, config=config, params={"units": 8})


def _trained():
    estimator = _estimator()
    estimator.train(_input_fn, max_steps=30)
    return estimator


def raw():
    """Takes tensors."""
    with tf.Graph().as_default():
        features = {"sizes": v1.placeholder(tf.float32, [None, 4]), "z_kind": v1.placeholder(tf.int64, [None])}
    return _trained(), tf.estimator.export.build_raw_serving_input_receiver_fn(features)


def parsing():
    """Takes serialised tf.Examples, with example inputs because random bytes do not parse. The first ends with a zero byte."""
    spec = {"sizes": tf.io.FixedLenFeature([4], tf.float32), "z_kind": tf.io.FixedLenFeature([], tf.int64)}
    receiver = tf.estimator.export.build_parsing_serving_input_receiver_fn(spec)
    rows = [([0.5, -1.0, 2.0, 0.25], 0), ([1.0, 1.0, -3.0, 0.0], 2)]
    return _trained(), receiver, {"examples": np.array([_example(sizes, kind) for sizes, kind in rows], object)}


def _example(sizes, kind):
    features = {
        "sizes": tf.train.Feature(float_list=tf.train.FloatList(value=sizes)),
        "z_kind": tf.train.Feature(int64_list=tf.train.Int64List(value=[kind])),
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString(deterministic=True)


def alone():
    """Has no serving input receiver."""
    return _estimator()


def untrained():
    """Has nothing to export."""
    return _estimator(), raw
