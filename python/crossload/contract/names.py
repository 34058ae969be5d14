"""The names of a bundle's files, for readers that need only these."""

MANIFEST = "crossload.json"
