"""A tf.Module around a Keras LSTM: what `crossload export` is given, with the path of the encoder in place of ENCODER."""

import keras
import tensorflow as tf


class Encoder(tf.Module):
    def __init__(self):
        super().__init__()
        self.m = keras.models.load_model("ENCODER")
        self.kept = self.m.variables

    @tf.function(input_signature=[tf.TensorSpec([1, 6, 5], tf.float32, name="tokens")])
    def serve(self, tokens):
        h, c = self.m(tokens)
        return {"h": h, "c": c}


def model():
    return Encoder()
