"""Support: files, destinations, caches and text, for every other package; it knows nothing about models."""
