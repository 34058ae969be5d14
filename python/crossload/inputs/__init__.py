"""Inputs of models: requests, drawn values, domains from the graph, tf.Examples, .npz files."""
