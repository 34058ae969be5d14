"""The names of a bundle's files, for readers that need nothing else of the contract."""

MANIFEST = "crossload.json"
