"""Diagnose: the first inner tensor that differs between an artifact and its reference."""
