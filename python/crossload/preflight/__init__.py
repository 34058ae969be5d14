"""Preflight: will this release load it? Predicted from what the release registers, without TensorFlow and without loading anything."""

from __future__ import annotations

from crossload.preflight.findings import Finding
from crossload.preflight.prediction import Prediction, explained, predict, would_do

__all__ = ["Finding", "Prediction", "explained", "predict", "would_do"]
