"""Checkpoints: V1 and V2 files, the tables inside them, and the state file of a folder."""
