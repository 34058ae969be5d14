"""Tests of bindings/."""
