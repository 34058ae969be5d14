"""TFLite files: flatbuffers read with every offset checked."""
