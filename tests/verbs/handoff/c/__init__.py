"""Handoffs to C."""
