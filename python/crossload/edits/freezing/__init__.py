"""Freeze by graph edits, without TensorFlow: functions inlined, variables replaced by the checkpoint's values, effects kept in order.

What these rules do not cover with certainty raises NeedsTensorFlow, and the conversion goes through TensorFlow's process.
"""
