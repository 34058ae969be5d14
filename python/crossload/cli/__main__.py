"""`python -m crossload.cli`: the command line without its installed script."""

from crossload.cli import start

start()
