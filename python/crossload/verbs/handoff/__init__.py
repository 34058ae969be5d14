"""Handoff: write a bundle as a project in the receiver's language that builds and tests itself without crossload."""
