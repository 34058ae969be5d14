"""Workers: a script a runtime, each with the environment that it declares in its header; `kit` is what they share."""
