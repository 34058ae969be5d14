"""Export: a model becomes a bundle of artifacts, manifest and recorded answers."""
