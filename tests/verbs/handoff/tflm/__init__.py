"""Handoffs to TensorFlow Lite Micro."""
