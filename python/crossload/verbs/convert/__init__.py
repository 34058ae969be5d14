"""Convert: make one artifact from another over a table of edges, and verify both on the same vectors."""
