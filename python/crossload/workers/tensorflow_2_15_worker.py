# /// script
# requires-python = ">=3.10,<3.12"
# dependencies = ["tensorflow-cpu==2.15.1"]
# ///
"""The runtime `tensorflow` in release 2.15.1: the last with built-in Keras 2 and Estimator, for models that newer ones no longer load."""

import tensorflow_worker

if __name__ == "__main__":
    tensorflow_worker.serve()
