"""What workers share: the protocol (wire, serving), tensors, graphs, interpreters, Keras files. Imports nothing of crossload."""
