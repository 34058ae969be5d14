"""Show: describe an artifact or a bundle; parses files, loads nothing."""
