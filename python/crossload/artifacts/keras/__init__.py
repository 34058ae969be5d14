"""Keras files: .keras archives and HDF5, read without Keras; HDF5 in a separate process."""
