"""Near-duplicate first prompts among the rows in hand: a question about these rows, not a label of one.

One pass in the order of the rows. Each prompt is compared with the first of every group that shares a band of its MinHash
signature; what is nearly the same joins the group, the rest opens one. What must be remembered lies in a scratch database
that SQLite keeps in memory while it is small and on disk (unnamed, gone when closed) once it is not, so memory stays flat.
"""

import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Final

from rapidfuzz import fuzz
from rensa import RMinHash

from lmsys_store.labels.keys import family_key, plain_words, prompt_key
from lmsys_store.labels.likeness import word_exchanged
from lmsys_store.parts import Split, split_of
from lmsys_store.records import Conversation

SAME: Final = 88.0
"""How alike two prompts are at least (0 to 100, by the characters that stay in place) to be near-duplicates."""
_PAGE: Final = 100
_READ: Final = 10_000
"""Characters of a prompt that are compared; what is longer and alike so far is alike."""
_SHINGLE: Final = 4
_BANDS, _IN_BAND = 25, 6
"""Two prompts that share 70 of 100 shingles share a band with a chance of 0.96, at 30 of 100 of 0.02."""
_CANDIDATES: Final = 16
_CJK: Final = "\u2e80"
"""Characters from here on are words of their own: one for another is no slip of the finger."""
_NUMBERS: Final = re.compile(r"\d+")


@dataclass(frozen=True)
class DuplicateGroup:
    """Rows with nearly the same first prompt: ``rows`` of them, ``exact`` of which differ from the first in case, spaces and
    marks at most; ``prompt`` is the first one's, in the order the rows came."""

    prompt: str
    row_index: int
    rows: int
    exact: int
    row_indexes: tuple[int, ...]


@dataclass(frozen=True)
class DuplicateReport:
    """What was found among ``rows`` rows: ``prompts`` after exact duplicates, ``groups`` after near ones (one row is a group
    too), and the ``largest`` groups of several rows. Of the ``pairs`` of rows in one group, ``straddling`` lie in two splits."""

    rows: int
    prompts: int
    groups: int
    largest: tuple[DuplicateGroup, ...]
    pairs: int = 0
    straddling: int = 0


def near_duplicates(chats: Iterable[Conversation], *, largest: int = 20) -> DuplicateReport:
    """Group rows by their first prompts.

    Args:
        chats: the rows, of any selection.
        largest: how many groups of several rows to name, the largest first.
    """
    with closing(sqlite3.connect("")) as scratch:
        scratch.executescript(_SCRATCH)
        rest = iter(chats)
        while page := list(islice(rest, _PAGE)):
            _add(scratch, page)
        rows, prompts, groups = (
            scratch.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("member", "key", "first")
        )
        pairs, together = _pairs(scratch, "place"), _pairs(scratch, "place, split")
        return DuplicateReport(rows, prompts, groups, tuple(_largest(scratch, largest)), pairs, pairs - together)


_SCRATCH: Final = """
    PRAGMA journal_mode = OFF;
    PRAGMA cache_size = -65536;
    CREATE TABLE key (key INTEGER PRIMARY KEY, place INTEGER);
    CREATE TABLE first (place INTEGER PRIMARY KEY, key INTEGER, plain TEXT, prompt TEXT);
    CREATE TABLE band (band INTEGER, place INTEGER, PRIMARY KEY (band, place)) WITHOUT ROWID;
    CREATE TABLE member (row_index INTEGER, split TEXT, place INTEGER, key INTEGER);
"""


def _add(scratch: sqlite3.Connection, page: Sequence[Conversation]) -> None:
    keys = [prompt_key(chat.first_prompt) for chat in page]
    fresh: dict[int, str] = {}
    for key, chat in zip(keys, page, strict=True):
        if key not in fresh and not _is_known(scratch, key):
            fresh[key] = chat.first_prompt
    plain = [_plain(prompt) for prompt in fresh.values()]
    for (key, prompt), text, bands in zip(fresh.items(), plain, _bands_of(plain), strict=True):
        place = _alike(scratch, text, bands)
        if place is None:
            place = _opened(scratch, key, text, _storable(prompt), bands)
        scratch.execute("INSERT INTO key VALUES (?, ?)", (key, place))
    members = [(chat.row_index, _split(chat), key) for chat, key in zip(page, keys, strict=True)]
    scratch.executemany("INSERT INTO member SELECT ?, ?, place, key FROM key WHERE key = ?", members)


def _split(chat: Conversation) -> Split:
    """The split of a row; records built by hand have no labels yet."""
    family = chat.labels.family
    return split_of(family_key(chat.first_prompt) if family is None else family, chat.row_index)


def _pairs(scratch: sqlite3.Connection, together: str) -> int:
    """How many pairs of rows have these columns in common."""
    counts = f"SELECT count(*) AS number FROM member GROUP BY {together}"
    pairs: int = scratch.execute(f"SELECT coalesce(sum(number * (number - 1) / 2), 0) FROM ({counts})").fetchone()[0]
    return pairs


def _plain(prompt: str) -> str:
    return _storable(" ".join(plain_words(prompt[:_READ])))


def _storable(text: str) -> str:
    """The text without halves of characters: rows of a store have none, records built by hand may, and SQLite takes none."""
    return text.encode(errors="replace").decode()


def _bands_of(texts: Sequence[str]) -> Iterator[tuple[int, ...]]:
    """The bands of each text's signature, each a number of its own."""
    shingles = [[text[at : at + _SHINGLE] for at in range(max(len(text) - _SHINGLE + 1, 1))] for text in texts]
    for digest in RMinHash.digests_from_token_sets(shingles, _BANDS * _IN_BAND, 1):
        yield tuple(hash((at, *digest[at : at + _IN_BAND])) for at in range(0, _BANDS * _IN_BAND, _IN_BAND))


def _is_known(scratch: sqlite3.Connection, key: int) -> bool:
    return scratch.execute("SELECT 1 FROM key WHERE key = ?", (key,)).fetchone() is not None


def _alike(scratch: sqlite3.Connection, text: str, bands: Sequence[int]) -> int | None:
    """The group whose first prompt is most like a text, if one is near enough; of equals the first."""
    marks = ", ".join("?" * len(bands))
    candidates = scratch.execute(
        f"SELECT place, plain FROM first WHERE place IN (SELECT place FROM band WHERE band IN ({marks}) GROUP BY place "
        f"ORDER BY count(*) DESC, place LIMIT {_CANDIDATES}) ORDER BY place",
        bands,
    ).fetchall()
    scored = [(_likeness(text, plain), -place) for place, plain in candidates]
    score, place = max(scored, default=(0.0, 0))
    return -place if score >= SAME else None


def _likeness(one: str, other: str) -> float:
    """0 to 100; 0 where one word stands for a wholly different one, or one number for another: that is another question."""
    if _NUMBERS.findall(one) != _NUMBERS.findall(other):
        return 0.0
    words, others = set(one.split()), set(other.split())
    gone, new = words - others, others - words
    if word_exchanged(words, others) or (gone and new and min(gone | new) > _CJK):
        return 0.0
    return float(fuzz.ratio(one, other, score_cutoff=SAME))


def _opened(scratch: sqlite3.Connection, key: int, text: str, prompt: str, bands: Sequence[int]) -> int:
    place = scratch.execute("INSERT INTO first (key, plain, prompt) VALUES (?, ?, ?)", (key, text, prompt)).lastrowid
    assert place is not None
    scratch.executemany("INSERT OR IGNORE INTO band VALUES (?, ?)", [(band, place) for band in bands])
    return place


def _largest(scratch: sqlite3.Connection, number: int) -> Iterator[DuplicateGroup]:
    groups = scratch.execute(
        "SELECT place, count(*), prompt, sum(member.key = first.key) FROM member JOIN first USING (place) "
        "GROUP BY place HAVING count(*) > 1 ORDER BY count(*) DESC, place LIMIT ?",
        (number,),
    ).fetchall()
    for place, rows, prompt, exact in groups:
        indexes = scratch.execute("SELECT row_index FROM member WHERE place = ? ORDER BY rowid", (place,))
        members = tuple(index for (index,) in indexes)
        yield DuplicateGroup(prompt, members[0], rows, exact, members)
