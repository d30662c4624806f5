"""Spawned workers each resume one iteration from a token. Argument: a store."""

import multiprocessing
import sys

from lmsys_store import Store
from tests.embedding.resources import report

TAKEN_AFTER = (1, 50, 51, 700, 3000)


def rest(task: tuple[str, str]) -> list[int]:
    path, token = task
    with Store(path) as store:
        return [chat.row_index for chat in store.select(language="en", resume=token)]


def main() -> None:
    tokens, rows = [], []
    with Store(sys.argv[1]) as store:
        results = store.select(language="en")
        for chat in results:
            rows.append(chat.row_index)
            if len(rows) in TAKEN_AFTER:
                tokens.append((sys.argv[1], results.token or ""))
        # The parent's store stays open: a spawned worker shares nothing with it.
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            found = pool.map(rest, tokens)
    report(resumed=[ends == rows[after:] for ends, after in zip(found, TAKEN_AFTER, strict=True)], rows=len(rows))


if __name__ == "__main__":
    main()
