"""The receiver `ios`: a Swift package, and a pod, over TensorFlow Lite's Swift API, with a test that judges the model on the device."""
