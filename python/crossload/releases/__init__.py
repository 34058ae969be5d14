"""Releases: what each release of TensorFlow registers (ops, attributes, kernels), as data, and how a node fits it."""
