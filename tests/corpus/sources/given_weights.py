"""Models of the sources beside this file with values from checkpoints and Keras files; needs TensorFlow.

`given_weights.py FOLDER` writes the files, restores each model from each file, saves it, loads it again, and writes its answers, or
the error, to FOLDER/answers.json.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np
import sessions
import tensorflow as tf

from crossload.tf_process import live_models

v1 = tf.compat.v1
HERE = Path(__file__).parent
X = np.arange(6, dtype=np.float32).reshape(2, 3)
V1, V2 = v1.train.SaverDef.V1, v1.train.SaverDef.V2


def main(folder):
    answers = {"trained": write_session(folder)}
    write_objects(folder)
    write_keras(folder)
    v1.train.update_checkpoint_state(str(folder), str(folder / "v2"))
    cases = {
        "v2": ("sessions.py:rebuilt", "v2", {}),
        "folder": ("sessions.py:rebuilt", ".", {}),
        "v1": ("sessions.py:rebuilt", "v1", {}),
        "sharded": ("sessions.py:rebuilt", "sharded", {}),
        "objects_by_names": ("sessions.py:rebuilt", "named_objects-1", {}),
        "missing": ("sessions.py:rebuilt", "part", {}),
        "shapes": ("sessions.py:rebuilt", "wide", {}),
        "graph_of_keras": ("sessions.py:rebuilt", "model.h5", {}),
        "module": ("models.py:module", "objects-1", {}),
        "module_by_names": ("models.py:module", "variable", {}),
        "module_of_others": ("models.py:module", "others-1", {}),
        "module_by_name": ("models.py:module", "objects-1", {"by_name": True}),
        "keras_objects": ("given_weights.py:keras_model", "keras_objects-1", {}),
        "keras_h5": ("given_weights.py:keras_model", "model.h5", {}),
        "keras_by_name": ("given_weights.py:keras_model", "head.h5", {"by_name": True}),
        "keras_not_by_name": ("given_weights.py:keras_model", "head.h5", {}),
    }
    for name, (source, weights, options) in cases.items():
        answers[name] = case(folder, name, source, folder / weights, options)
    answers["training"] = train(folder / "out" / "v2")
    (folder / "answers.json").write_text(json.dumps(answers))


def case(folder, name, source, weights, options):
    """The model's answers after saving and loading, or the error message."""
    file, _, function = source.partition(":")
    target = folder / "out" / name
    target.parent.mkdir(exist_ok=True)
    keras.backend.clear_session()
    try:
        live_models.of_python(HERE / file, target, {}, {"function": function, "weights": str(weights), **options})
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    x = X[:, :2] if "module" in name else X
    answer = tf.saved_model.load(str(target)).signatures["serving_default"](x=tf.constant(x))
    return next(v for k, v in sorted(answer.items()) if k in ("probabilities", "y")).numpy().tolist()


def write_session(folder):
    """Write the trained session's variables in checkpoints of several kinds; returns its answer."""
    trained = sessions.trained()
    session, graph = trained["session"], trained["session"].graph
    with graph.as_default():
        variables = {v.op.name: v for v in v1.global_variables()}
        for name, kind, sharded in (("v2", V2, False), ("v1", V1, False), ("sharded", V2, True)):
            v1.train.Saver(variables, write_version=kind, sharded=sharded).save(session, str(folder / name), latest_filename="checkpoint")
        v1.train.Saver({"weights": variables["weights"], "other": variables["bias"]}).save(
            session, str(folder / "part"), latest_filename="p"
        )
        values = {name: session.run(v) for name, v in variables.items()}
        answer = session.run(trained["outputs"]["probabilities"], {trained["inputs"]["x"]: X})
    named = tf.train.Checkpoint(**{f"a_{n}": tf.Variable(value, name=n) for n, value in values.items()})
    named.save(str(folder / "named_objects"))
    with tf.Graph().as_default(), v1.Session() as other:
        for name, value in values.items():
            v1.get_variable(name, initializer=tf.constant(np.concatenate([value, value]) if name == "bias" else value))
        other.run(v1.global_variables_initializer())
        v1.train.Saver().save(other, str(folder / "wide"), latest_filename="w")
    return answer.tolist()


def write_objects(folder):
    """The module's variable, under a name from a training loop; another model's; and alone, by its name."""
    scale = tf.Variable([3.0, 5.0])
    model = tf.Module()
    model.scale = scale
    optimizer = keras.optimizers.Adam()
    optimizer.build([scale])
    tf.train.Checkpoint(classifier=model, optimizer=optimizer).save(str(folder / "objects"))
    tf.train.Checkpoint(encoder=tf.Variable([1.0])).save(str(folder / "others"))
    with tf.Graph().as_default(), v1.Session() as session:
        v1.get_variable("Variable", initializer=tf.constant([7.0, 11.0]))
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(folder / "variable"), latest_filename="v")


def keras_model(seed=1, outputs="scores"):
    keras.utils.set_random_seed(seed)
    x = keras.Input((3,), name="x")
    hidden = keras.layers.Dense(4, activation="tanh", name="hidden")(x)
    return keras.Model(x, {"y": keras.layers.Dense(2, name=outputs)(hidden)})


def write_keras(folder):
    """A model of the same layers with other values, and one with another head."""
    other = keras_model(seed=2)
    np.save(folder / "keras.npy", other(X)["y"].numpy())
    other.save(folder / "model.h5")
    tf.train.Checkpoint(model=other).save(str(folder / "keras_objects"))
    np.save(folder / "hidden.npy", other.get_layer("hidden").kernel.numpy())
    keras_model(seed=2, outputs="other_scores").save(folder / "head.h5")


def train(path):
    """One step of gradient descent on the SavedModel, as TensorFlow 1 loads it."""
    with tf.Graph().as_default(), v1.Session() as session:
        meta_graph = v1.saved_model.loader.load(session, ["serve"], str(path))
        signature = meta_graph.signature_def["serving_default"]
        loss = tf.reduce_mean(tf.square(session.graph.get_tensor_by_name(signature.outputs["logits"].name)))
        feed = {signature.inputs["x"].name: X}
        step = v1.train.GradientDescentOptimizer(0.01).minimize(loss)
        before = session.run(loss, feed)
        session.run(step, feed)
        return {"trainable": [v.op.name for v in v1.trainable_variables()], "losses": [float(before), float(session.run(loss, feed))]}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
