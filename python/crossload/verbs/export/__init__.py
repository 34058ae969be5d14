"""Export: write a model as a bundle of artifacts, manifest and recorded answers."""
