"""Inputs: what models are fed: requests, drawn values, what a graph tells of its inputs, tf.Examples, .npz files."""
