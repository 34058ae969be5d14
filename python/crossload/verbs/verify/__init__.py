"""Verify: record the reference's answers and compare every runtime's answers with them."""
