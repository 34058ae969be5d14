"""Files of TensorFlow 1 and Keras 2, written by TensorFlow 2.15.1, with each model's answers: `make_older_files.py FOLDER`.

Writes FOLDER/answers.json: for each path, its input's name and rows, and its outputs.
"""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
X = np.linspace(-1, 2, 12, dtype=np.float32).reshape(3, 4)
V1, V2 = v1.train.SaverDef.V1, v1.train.SaverDef.V2


def main(folder):
    answers = {}
    for name, kind, sharded in (("v1", V1, False), ("v2", V2, False), ("v1_sharded", V1, True), ("v2_sharded", V2, True)):
        answers[name] = checkpoint(folder / name, kind, sharded)
    for name, edit in (("version", refused_version), ("collections", no_collections), ("bare", bare)):
        answers[name] = checkpoint(folder / name, V2, False)
        file = folder / name / "model.ckpt-7.meta"
        meta_graph = v1.MetaGraphDef.FromString(file.read_bytes())
        edit(meta_graph)
        file.write_bytes(meta_graph.SerializeToString())
    answers["tags"] = several_tags(folder / "tags")
    answers["simple"] = simple_save(folder / "simple")
    answers["keras.h5"] = keras_2(folder)
    (folder / "answers.json").write_text(json.dumps(answers))


def network(scale=1.0):
    """Two layers over reference variables, as before resource variables were the default; on two devices, as in training with several."""
    x = v1.placeholder(tf.float32, [None, 4], name="x")
    random = np.random.default_rng(7)
    with v1.variable_scope("", use_resource=False):
        with tf.device("/cpu:0"):
            kernel = v1.get_variable("hidden/kernel", initializer=random.normal(size=(4, 5)).astype(np.float32))
            step = v1.get_variable("global_step", initializer=np.int64(7), trainable=False)
        with tf.device("/cpu:1"):
            head = v1.get_variable("head/kernel", initializer=random.normal(size=(5, 3)).astype(np.float32))
    logits = tf.matmul(tf.nn.tanh(tf.matmul(x, kernel)) * scale, head, name="logits")
    return x, tf.nn.softmax(logits, name="probabilities"), step


def session():
    return v1.Session(config=v1.ConfigProto(device_count={"CPU": 2}))


def answer(running, x, output, name="probabilities"):
    return {"input": "x", "rows": X.tolist(), "outputs": {name: running.run(output, {x: X}).tolist()}}


def checkpoint(folder, kind, sharded):
    """Saver's files after two steps of Adam."""
    folder.mkdir()
    with tf.Graph().as_default(), session() as running:
        x, probabilities, step = network()
        logits = running.graph.get_tensor_by_name("logits:0")
        loss = v1.losses.sparse_softmax_cross_entropy(tf.constant([0, 1, 2]), logits)
        train = v1.train.AdamOptimizer(0.1).minimize(loss, global_step=step)
        running.run(v1.global_variables_initializer())
        for _ in range(2):
            running.run(train, {x: X})
        running.run(step.assign(7))
        v1.train.Saver(write_version=kind, sharded=sharded).save(running, str(folder / "model.ckpt"), global_step=7)
        return answer(running, x, probabilities)


def refused_version(meta_graph):
    """The version string of a custom build, which TensorFlow 2.21 refuses (framework/meta_graph.py parses it by PEP 440)."""
    meta_graph.meta_info_def.tensorflow_version = "1.4.0-custom-7f3c"


def no_collections(meta_graph):
    """Variables in the graph but not in a collection."""
    for name in list(meta_graph.collection_def):
        del meta_graph.collection_def[name]


def bare(meta_graph):
    """No collections, no saver, no producer."""
    no_collections(meta_graph)
    meta_graph.ClearField("saver_def")
    meta_graph.ClearField("meta_info_def")


def several_tags(folder):
    """A SavedModel of TensorFlow 1's builder: to serve, to serve on a GPU, and to train."""
    builder = v1.saved_model.Builder(str(folder))
    found = {}
    for at, tags in enumerate((["serve"], ["serve", "gpu"], ["train"])):
        with tf.Graph().as_default(), session() as running:
            x, probabilities, _ = network(1.0 + at)
            running.run(v1.global_variables_initializer())
            signature = v1.saved_model.predict_signature_def({"x": x}, {"probabilities": probabilities})
            add = builder.add_meta_graph if at else lambda tags, **more: builder.add_meta_graph_and_variables(running, tags, **more)
            add(tags, signature_def_map={"serving_default": signature, **({"scores": signature} if at == 0 else {})})
            found[",".join(tags)] = answer(running, x, probabilities)
    builder.save()
    return found


def simple_save(folder):
    with tf.Graph().as_default(), session() as running:
        x, probabilities, _ = network()
        running.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(running, str(folder), {"x": x}, {"probabilities": probabilities})
        return answer(running, x, probabilities)


def keras_2(folder):
    """A functional model with batch normalisation, trained and saved with its optimizer's state; and its weights alone."""
    tf.keras.utils.set_random_seed(5)
    x = tf.keras.Input((4,), name="x")
    hidden = tf.keras.layers.BatchNormalization(name="norm")(tf.keras.layers.Dense(6, activation="relu", name="hidden")(x))
    model = tf.keras.Model(x, tf.keras.layers.Dense(2, activation="softmax", name="classes")(hidden))
    model.compile("adam", "categorical_crossentropy")
    model.fit(X, np.eye(2, dtype=np.float32)[[0, 1, 0]], epochs=2, verbose=0)
    model.save(folder / "keras.h5")
    model.save_weights(folder / "keras.weights.h5")
    return {"input": "x", "rows": X.tolist(), "outputs": {"classes": model.predict(X, verbose=0).tolist()}}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
