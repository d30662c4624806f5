"""The command line behind the guard. Arguments: its own."""

import sys

from tests.chain.programs import guard

guard.install()

from lmsys_store.cli import main  # noqa: E402

try:
    main()
finally:
    if guard.touched:
        sys.exit(f"the network was touched: {guard.touched}")
