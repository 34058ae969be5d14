"""The pages of `show`, one module a format: `lines(found, page)` gives the text."""
