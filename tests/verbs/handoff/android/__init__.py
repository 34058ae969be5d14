"""Handoffs to Android."""
