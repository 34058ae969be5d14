"""Graphs: GraphDefs, SavedModels and .meta files read as protocol buffers, without TensorFlow."""
