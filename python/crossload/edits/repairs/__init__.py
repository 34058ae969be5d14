"""Repairs: graphs, MetaGraphs and files edited so that older releases of TensorFlow load them and give the same answers."""
