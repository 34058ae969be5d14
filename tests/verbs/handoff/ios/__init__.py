"""Handoffs to iOS."""
