"""Exporters: a model becomes a bundle. `bundle` leads and imports no TensorFlow; `process` and `saved_model` run where TensorFlow is."""
