"""Judging: how close an answer is to the reference's, in ULP, by tolerance, by decision. This package runs no model."""
