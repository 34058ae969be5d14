"""Show: what an artifact or a bundle is; files are parsed, nothing is loaded."""
