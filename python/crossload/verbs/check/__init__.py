"""Check: will this release load it? Predicted from what the release registers; nothing is loaded."""
