"""Convert: an artifact becomes another, over a table of edges, and is proved on the same vectors."""
