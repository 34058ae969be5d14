"""Edits: artifacts rewritten as messages and bytes, without TensorFlow: bridges, repairs, signatures, warm-up, checkpoint folders."""
