"""Releases: what each release of TensorFlow registers (ops, attributes, kernels), as data, and the validation of nodes against it."""
