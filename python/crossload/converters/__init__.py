"""Converters: one format into another. The modules here run in a TensorFlow process (exporters.process), never in the core."""
