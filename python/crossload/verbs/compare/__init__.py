"""Compare: the variants of a model in one bundle, by size, accuracy, error, latency and arena."""
