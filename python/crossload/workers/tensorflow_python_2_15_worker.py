# /// script
# requires-python = ">=3.10,<3.12"
# dependencies = ["tensorflow-cpu==2.15.1"]
# ///
"""The runtime `tensorflow+python` in release 2.15.1: the last with built-in Keras 2 and Estimator, for what newer ones no longer load."""

import tensorflow_python_worker

if __name__ == "__main__":
    tensorflow_python_worker.serve()
