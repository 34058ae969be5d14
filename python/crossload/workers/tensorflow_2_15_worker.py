# /// script
# requires-python = ">=3.10,<3.12"
# dependencies = ["tensorflow-cpu==2.15.1", "ml-dtypes", "numpy", "protobuf"]
# ///
"""The runtime `tensorflow` in release 2.15.1, by its C API."""

import tensorflow_worker

if __name__ == "__main__":
    tensorflow_worker.serve()
