"""Canonical hashes: equal for two exports of the same model, whatever the bytes of their files."""
