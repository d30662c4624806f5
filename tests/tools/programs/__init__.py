"""Programs for the tools' own Python: each reads a file as a user of the tool would, and prints what it found as JSON."""
