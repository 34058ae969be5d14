"""Verify: reference answers are recorded, and every runtime is asked for the same."""
