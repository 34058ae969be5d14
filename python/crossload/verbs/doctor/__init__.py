"""Doctor: which parts that crossload needs this machine has, and the command that fixes what is missing."""
