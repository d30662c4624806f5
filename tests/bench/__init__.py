"""The benchmark: this library against its peers on the same rows, in one process. ``python -m tests.bench``."""
