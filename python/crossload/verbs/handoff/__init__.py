"""Handoff: a bundle becomes a project of the receiver's language that builds and tests itself without crossload."""
