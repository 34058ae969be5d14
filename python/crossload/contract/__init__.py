"""Python's half of the contract between languages (bindings/contract/): frames, datatypes, signatures, manifest, vectors."""
