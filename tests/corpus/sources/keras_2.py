# /// script
# requires-python = ">=3.10,<3.14"
# dependencies = ["tensorflow-cpu==2.21.0", "tf-keras==2.21.0"]
# ///
"""A source with a Keras 2 model, by tf-keras with a current TensorFlow."""


def model():
    import tf_keras

    tf_keras.utils.set_random_seed(5)
    x = tf_keras.Input((4,), name="x")
    return tf_keras.Model(x, tf_keras.layers.Dense(3, activation="softmax", name="scores")(x))
