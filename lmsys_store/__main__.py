"""``python -m lmsys_store``."""

from lmsys_store.cli import main

if __name__ == "__main__":
    main()
