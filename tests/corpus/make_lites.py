"""Models of every kind as .tflite, with TensorFlow's own answers: `python make_lites.py FOLDER`, in an environment with TensorFlow.

FOLDER contains large.index, the index of a checkpoint that is too large. Beside NAME.tflite is NAME.npz, with arrays named
`signature|in|name` and `signature|out|name`; bindings.json has the results of the edges, refused.json their errors.
"""

import json
import shutil
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from crossload.tf_process import live_tflite, saved_model_builder, tflite

v1 = tf.compat.v1
RANDOM = np.random.default_rng(5)
FILTERS = RANDOM.normal(size=(3, 3, 3, 4)).astype(np.float32)
X, IMAGE = RANDOM.normal(size=(3, 4)).astype(np.float32), RANDOM.uniform(size=(1, 8, 8, 3)).astype(np.float32)


class Two(tf.Module):
    """Two signatures; the second one's inputs and outputs could be swapped undetected if names were lost."""

    def __init__(self):
        super().__init__()
        # The minimum number of weights that the converter quantises (1,024).
        self.weights = tf.Variable(np.linspace(-1, 1, 1200, dtype=np.float32).reshape(4, 300))

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, "x")])
    def scores(self, x):
        return {"scores": tf.sigmoid(x @ self.weights), "largest": tf.reduce_max(x, axis=1)}

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, "left"), tf.TensorSpec([None, 4], tf.float32, "right")])
    def compare(self, left, right):
        return {"sum": left + right, "difference": left - right}


class Image(tf.Module):
    """A convolution whose image may have any size, or any rank."""

    def __init__(self, shape):
        super().__init__()
        self.serve = tf.function(
            lambda image: {"y": tf.nn.conv2d(image, FILTERS, 2, "SAME")}, input_signature=[tf.TensorSpec(shape, name="image")]
        )


def keras_model():
    keras.utils.set_random_seed(3)
    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    scores = keras.layers.Dense(3, activation="softmax", name="scores")(keras.layers.Subtract()([left, right]))
    return keras.Model([left, right], [scores, keras.layers.Rescaling(2.0, name="twice")(left)])


def exported_by_keras(folder):
    """Two endpoints, one with Keras' own name: the converter treats this as a model.export and drops the other."""
    model = keras_model()
    archive = keras.export.ExportArchive()
    archive.track(model)
    specs = [tf.TensorSpec([None, 4], tf.float32, name) for name in ("left", "right")]
    archive.add_endpoint("serve", lambda left, right: {"scores": model([left, right])[0]}, input_signature=specs)
    archive.add_endpoint("twice", lambda left: {"twice": left * 2.0}, input_signature=specs[:1])
    archive.write_out(str(folder), verbose=False)


def old_saved_model(folder):
    """A model of TensorFlow 1: reference variables, two MetaGraphs, one with two tags and two signatures."""
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 4], "x")
        kernel = v1.get_variable("kernel", initializer=np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3), use_resource=False)
        logits = tf.matmul(x, kernel, name="logits")
        probabilities = tf.nn.softmax(logits, name="probabilities")
        session.run(v1.global_variables_initializer())
        sign = saved_model_builder.signature
        builder = v1.saved_model.Builder(str(folder))
        both = {"predict": sign({"inputs": x}, {"p": probabilities}), "logits": sign({"x": x}, {"logits": logits}, "custom/logits")}
        builder.add_meta_graph_and_variables(session, ["serve", "gpu"], both)
        builder.add_meta_graph(["train"], {"other": sign({"x": x}, {"l": logits})})
        builder.save()


def frozen(file):
    """A graph without signatures."""
    with tf.Graph().as_default() as graph:
        image = v1.placeholder(tf.float32, [None, None, None, 3], "image")
        act = tf.nn.relu(tf.nn.conv2d(image, FILTERS, 2, "SAME"), name="body/act")
        tf.nn.softmax(tf.reduce_mean(act, [1, 2], name="pool"), name="head/probabilities")
        file.write_bytes(graph.as_graph_def().SerializeToString(deterministic=True))


class Maker:
    """Converts models, and records TensorFlow's answers and refusals."""

    def __init__(self, folder):
        self.folder, self.bindings, self.refused = folder, {}, {}

    def saved(self, name, source, keys, inputs, tags=("serve",), **options):
        loaded = tf.saved_model.load(str(source), tags)
        named = {key: {"key": key, "inputs": {}, "outputs": {}} for key in keys}
        self.made(name, lambda to: tflite.saved_model_to_tflite(source, to, named, {"tags": list(tags), **options}))
        self.answers(
            name, {key: (inputs[key], loaded.signatures[key](**{n: tf.constant(a) for n, a in inputs[key].items()})) for key in keys}
        )

    def graph(self, name, source, bindings, inputs, **options):
        graph_def = v1.GraphDef.FromString(source.read_bytes())
        self.made(name, lambda to: tflite.graph_def_to_tflite(source, to, bindings, options))
        found = {}
        with tf.Graph().as_default(), v1.Session() as session:
            tf.import_graph_def(graph_def, name="")
            for key, b in bindings.items():
                found[key] = inputs[key], session.run(b["outputs"], {b["inputs"][n]: a for n, a in inputs[key].items()})
        self.answers(name, found)

    def live(self, name, model, answers=None, **options):
        self.made(name, lambda to: live_tflite.live_to_tflite(model, to, options=options))
        if answers:
            self.answers(name, answers)

    def made(self, name, make):
        try:
            self.bindings[name] = make(self.folder / f"{name}.tflite")
        except Exception as error:
            self.refused[name] = f"{type(error).__name__}: {error}"

    def answers(self, name, by_signature):
        sides = {key: {"in": inputs, "out": outputs} for key, (inputs, outputs) in by_signature.items()}
        np.savez(
            self.folder / f"{name}.npz",
            **{f"{k}|{s}|{n}": np.asarray(a) for k, both in sides.items() for s, by in both.items() for n, a in by.items()},
        )

    def end(self):
        (self.folder / "bindings.json").write_text(json.dumps(self.bindings))
        (self.folder / "refused.json").write_text(json.dumps(self.refused))


def main(folder: Path) -> None:
    make = Maker(folder)
    two = Two()
    asked = {"scores": {"x": X}, "compare": {"left": X, "right": X[::-1].copy()}}
    tf.saved_model.save(two, str(folder / "two"), signatures={"scores": two.scores, "compare": two.compare})
    np.savez(folder / "ranges.npz", **{name: RANDOM.normal(size=(64, 4)).astype(np.float32) for name in ("x", "left", "right")})
    both = (folder / "two", ["scores", "compare"], asked)
    make.saved("two", *both)
    make.saved("one_of_two", folder / "two", ["compare"], asked)
    make.saved("fixed", *both, shapes={"x": [3, 4]})
    make.saved("float16", *both, quantize="float16")
    make.saved("dynamic", *both, quantize="dynamic")
    make.saved("optimized", *both, optimize=True)
    make.saved("int8", *both, quantize="int8", representative=str(folder / "ranges.npz"))

    old_saved_model(folder / "old")
    old = (folder / "old", ["predict", "logits"], {"predict": {"inputs": X}, "logits": {"x": X}}, ("serve", "gpu"))
    make.saved("old", *old)
    make.saved("old_fixed", *old, shapes={"x": [3, 4], "inputs": [3, 4]})
    make.saved("old_train", folder / "old", ["other"], {"other": {"x": X}}, ("train",))
    exported_by_keras(folder / "exported")
    left = {"left": X, "right": X[::-1].copy()}
    make.saved("exported", folder / "exported", ["serve", "twice"], {"serve": left, "twice": {"left": X}})

    frozen(folder / "frozen.pb")
    head = {"key": None, "inputs": {"image": "image:0"}, "outputs": {"p": "head/probabilities:0"}}
    pool = {"key": None, "inputs": {"picture": "image:0"}, "outputs": {"features": "pool:0"}}
    inner = {"key": None, "inputs": {"act": "body/act:0"}, "outputs": {"p": "head/probabilities:0"}}
    make.graph("graph", folder / "frozen.pb", {"head": head, "pool": pool}, {"head": {"image": IMAGE}, "pool": {"picture": IMAGE}})
    make.graph("graph_fixed", folder / "frozen.pb", {"head": head}, {"head": {"image": IMAGE}}, shapes={"image": [1, 8, 8, 3]})
    make.graph(
        "graph_inner", folder / "frozen.pb", {"head": inner}, {"head": {"act": RANDOM.uniform(size=(1, 4, 4, 4)).astype(np.float32)}}
    )
    wrong = {"key": None, "inputs": {"image": "image:0"}, "outputs": {"p": "head/probability:0"}}
    make.made("wrong_output", lambda to: tflite.graph_def_to_tflite(folder / "frozen.pb", to, {"head": wrong}, {}))

    variable = tf.Variable(2.0)
    nameless = v1.wrap_function(
        lambda a, b: (tf.multiply(a, variable, name="product"), a + b), [tf.TensorSpec([None, 4], name="a"), tf.TensorSpec([None, 4])]
    )
    make.live("nameless", nameless, {"serving_default": ({"a": X, "tensor_1": X}, {"product": X * 2, "add": X + X})})
    pruned = nameless.prune(nameless.inputs[:1], nameless.outputs[0])
    make.live("pruned", pruned, {"serving_default": ({"a": X}, {"product": X * 2})})
    nested = tf.function(lambda d: d["p"] * variable + d["q"]).get_concrete_function({n: tf.TensorSpec([3, 4]) for n in "pq"})
    make.live("nested", nested, {"serving_default": ({"d_p": X, "d_q": X}, {"output": X * 3})})
    make.live("function", two.compare, {"serving_default": (left, two.compare(**left))})
    make.live("module", two, {key: (asked[key], getattr(two, key)(**asked[key])) for key in asked})
    model = keras_model()
    scores, twice = model([left["left"], left["right"]])
    make.live("keras", model, {"serving_default": (left, {"scores": scores, "twice": twice})})
    # A bare function: TensorFlow's own converter writes it without a SignatureDef.
    unsigned = tf.lite.TFLiteConverter.from_concrete_functions([two.compare.get_concrete_function()]).convert()
    (folder / "unsigned.tflite").write_bytes(unsigned)

    inverse = tf.Module()
    inverse.f = tf.function(lambda x: {"y": tf.linalg.inv(x)}, input_signature=[tf.TensorSpec([None, 2, 2], name="x")])
    make.live("inverse", inverse)
    make.live("flex", inverse, allow_flex=True)
    make.live("open", Image(None))
    make.live("closed", Image(None), {"serving_default": ({"image": IMAGE}, Image(None).serve(IMAGE))}, shapes={"image": [1, 8, 8, 3]})
    make.live("misfit", Image([None, None, None, 3]), shapes={"image": [1, 8, 8, 4]})
    make.live("misnamed", Image([None, None, None, 3]), shapes={"imag": [1, 8, 8, 3]})
    make.live("unranged", two, quantize="int8")
    make.live("badly_ranged", two, quantize="int8", representative=str(folder / "two.npz"))
    make.live("unknown", two, quantize="int4")
    make.live("shapeless", tf.function(lambda x: x))
    make.made("no_tags", lambda to: tflite.saved_model_to_tflite(folder / "old", to, {"predict": {"key": "predict"}}, {"tags": ["cpu"]}))
    make.made("no_key", lambda to: tflite.saved_model_to_tflite(folder / "two", to, {"score": {"key": "score"}}, {}))
    make.made("none", lambda to: tflite.saved_model_to_tflite(folder / "two", to, {}, {}))
    shutil.copytree(folder / "two", folder / "large")
    shutil.copy(folder / "large.index", folder / "large" / "variables" / "variables.index")
    make.made("too_large", lambda to: tflite.saved_model_to_tflite(folder / "large", to, {"scores": {"key": "scores"}}, {}))
    make.end()


def again(folder: Path, target: Path) -> None:
    """Some of them again, in another order."""
    named = {key: {"key": key} for key in ("scores", "compare")}
    ranges = {"quantize": "int8", "representative": str(folder / "ranges.npz")}
    tflite.saved_model_to_tflite(folder / "two", target / "int8.tflite", named, ranges)
    tflite.saved_model_to_tflite(folder / "two", target / "fixed.tflite", named, {"shapes": {"x": [3, 4]}})
    tflite.saved_model_to_tflite(folder / "two", target / "two.tflite", named, {})
    bindings = {"head": {"inputs": {"image": "image:0"}, "outputs": {"p": "head/probabilities:0"}},
                "pool": {"inputs": {"picture": "image:0"}, "outputs": {"features": "pool:0"}}}  # fmt: skip
    tflite.graph_def_to_tflite(folder / "frozen.pb", target / "graph.tflite", bindings, {})


if __name__ == "__main__":
    if len(sys.argv) > 2:
        again(Path(sys.argv[1]), Path(sys.argv[2]))
    else:
        main(Path(sys.argv[1]))
