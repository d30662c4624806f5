"""Loops over results: orders, samples, parts, and that a loop cut anywhere goes on as if it had not been."""
