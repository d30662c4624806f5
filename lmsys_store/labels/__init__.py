"""What a row means: signals, rating, domain, task, tags, keys. Pure functions of the row; no I/O but the shipped word table."""
