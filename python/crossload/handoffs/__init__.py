"""Handoffs: a bundle becomes a project of the receiver's own language, which builds and tests itself where crossload never was."""
