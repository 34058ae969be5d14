"""Verbs: what a user asks for; a folder a verb, called as its command, and in it a module of its name that holds its function."""
