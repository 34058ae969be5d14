"""Tests of java/ as its users take it: the files of a release, and projects that use nothing else."""
