"""Verbs: the commands. One folder per verb, named as its command, with a module of the same name that holds its function."""
