"""Workers: one script per runtime, each with the environment that its header declares; `kit` is what they share."""
