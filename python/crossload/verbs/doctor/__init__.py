"""Doctor: what this machine has of what crossload needs, and the command that mends what is missing."""
