# /// script
# requires-python = ">=3.10,<3.14"
# dependencies = ["tensorflow-cpu==2.21.0", "tensorflow-serving-api==2.21.0"]
# ///
"""A model for TensorFlow Serving, and Serving's handling of a warm-up file, with Serving's own messages and TensorFlow's own session.

`read_warmup.py make FOLDER` writes a SavedModel with signatures of each method; `read_warmup.py warm FOLDER ANSWERS.npz` runs every
record of its warm-up file and writes the outputs as `record/kind/model/signature/output`. The tests run it in the environment of the
runtime `tensorflow`, with the package in serving_api.txt added.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
DATATYPES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "int4", "uint4"),
    *("float16", "bfloat16", "float32", "float64", "float8_e4m3fn", "float8_e5m2", "complex64", "complex128", "string"),
)


def make(folder):
    """Predict in every datatype; classify and regress over tf.Examples; an unknown method."""
    with tf.Graph().as_default(), v1.Session() as session:
        serialised = v1.placeholder(tf.string, [None], "examples")
        features = {"age": tf.io.FixedLenFeature([1], tf.int64, 0), "name": tf.io.FixedLenFeature([1], tf.string, "")}
        parsed = tf.io.parse_example(serialised, features)
        age = tf.cast(parsed["age"], tf.float32)
        years = tf.identity(age * 0.5, "years")
        scores = tf.concat([age, age + 1], axis=1)
        classes = tf.concat([parsed["name"], tf.strings.join([parsed["name"], tf.constant("!")])], axis=1)
        signatures = {
            "classify": signature({"inputs": serialised}, {"classes": classes, "scores": scores}, "classify"),
            "regress": signature({"inputs": serialised}, {"outputs": years}, "regress"),
            "own": signature({"inputs": serialised}, {"outputs": years}, "own_method"),
        }
        for name in DATATYPES:
            x = v1.placeholder(name, [None, 2], f"x_{name}")
            signatures[name] = signature({"x": x}, {"y": tf.identity(x)}, "predict")
        builder = v1.saved_model.Builder(folder)
        builder.add_meta_graph_and_variables(session, ["serve"], signatures)
        builder.save()


def signature(inputs, outputs, method):
    infos = ({name: v1.saved_model.build_tensor_info(t) for name, t in side.items()} for side in (inputs, outputs))
    return v1.saved_model.build_signature_def(*infos, f"tensorflow/serving/{method}")


def warm(folder, answers):
    """Parse each record with Serving's messages, its tensors with Serving's parser, and run it as Serving does."""
    from tensorflow_serving.apis import prediction_log_pb2

    found = {}
    with tf.Graph().as_default(), v1.Session() as session:
        meta_graph = v1.saved_model.load(session, ["serve"], folder)
        for number, record in enumerate(v1.io.tf_record_iterator(f"{folder}/assets.extra/tf_serving_warmup_requests")):
            log = prediction_log_pb2.PredictionLog.FromString(record)
            kind = log.WhichOneof("log_type")
            request = getattr(log, kind).request
            definition = meta_graph.signature_def[request.model_spec.signature_name]
            if kind == "predict_log":
                given = {name: parsed(tensor) for name, tensor in request.inputs.items()}
            else:
                assert definition.method_name == f"tensorflow/serving/{kind.removesuffix('_log')}"
                given = {"inputs": np.array([e.SerializeToString() for e in request.input.example_list.examples], object)}
            assert set(given) == set(definition.inputs)
            feed = {definition.inputs[name].name: array for name, array in given.items()}
            outputs = session.run({name: info.name for name, info in definition.outputs.items()}, feed)
            for name, array in outputs.items():
                # .npz has no ml_dtypes and no Python bytes.
                narrow = array.dtype.isbuiltin != 1
                kept = array.astype(np.float32 if narrow else np.bytes_ if array.dtype == object else array.dtype)
                found[f"{number:04}/{kind}/{request.model_spec.name}/{request.model_spec.signature_name}/{name}"] = kept
    np.savez(answers, **found)


def parsed(tensor):
    """Parse with Tensor::FromProto, which is stricter than Python's make_ndarray."""
    with tf.Graph().as_default(), v1.Session() as session:
        return session.run(tf.io.parse_tensor(tensor.SerializeToString(), tensor.dtype))


if __name__ == "__main__":
    make(sys.argv[2]) if sys.argv[1] == "make" else warm(*sys.argv[2:])
