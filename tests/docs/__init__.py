"""The documentation as a program: every fenced block runs, generated pages are current, links lead somewhere."""
