"""Runtimes: the registry of those there are, their environments, and the supervisor that keeps their workers."""
