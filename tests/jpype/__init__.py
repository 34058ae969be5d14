"""Tests of bindings/jpype."""
