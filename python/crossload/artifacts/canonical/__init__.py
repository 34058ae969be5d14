"""Canonical hashes: equal for two exports of the same model, even if the files' bytes differ."""
