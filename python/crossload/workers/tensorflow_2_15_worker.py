# /// script
# requires-python = ">=3.10,<3.12"
# dependencies = ["tensorflow-cpu==2.15.1"]
# ///
"""The runtime `tensorflow` in release 2.15.1: the last with Keras 2 built in and with Estimator, for what newer ones no longer load."""

import tensorflow_worker

if __name__ == "__main__":
    tensorflow_worker.serve()
