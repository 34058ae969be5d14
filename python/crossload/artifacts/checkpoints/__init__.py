"""Checkpoints: V1 and V2 files, the tables they are made of, and the state file of a folder."""
