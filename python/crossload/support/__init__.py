"""Support: files, destinations, caches and text, for every other room; it knows nothing of models."""
