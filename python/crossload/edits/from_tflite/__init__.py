"""A .tflite as a graph of TensorFlow's ops, by parsing: one function an operator, without TensorFlow."""
