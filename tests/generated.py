"""LMSYS-shaped rows out of nothing: the schema, skew and lengths of the data set, none of its text. Reproducible by seed."""

import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lmsys_store.convert.writing import lmsys_schema
from lmsys_store.labels.labeller import Labeller
from lmsys_store.records import DATASET_SPELLING, Conversation, Origin
from lmsys_store.rows import checked_row

_LABELLER = Labeller()

MODELS = {
    "vicuna-13b": 49, "koala-13b": 10, "alpaca-13b": 8, "chatglm-6b": 6, "llama-13b": 5, "gpt-3.5-turbo": 4,
    "vicuna-33b": 4,
    "fastchat-t5-3b": 4, "dolly-v2-12b": 4, "claude-1": 3, "gpt-4": 1, "claude-2": 1, "palm-2": 1,
}  # fmt: skip
"""Names with their rough share in percent: one model has half of all rows, several have one percent."""
LANGUAGES = {
    "English": 78, "Portuguese": 4, "Russian": 4, "Chinese": 3, "Spanish": 3, "German": 2, "French": 2, "unknown": 2,
    "Italian": 2,
}  # fmt: skip
_WORDS = (  # noqa: SIM905  # sixty quoted words are no easier to read
    "how what why write explain list make give code python table story translate summarize data model error function "
    "because answer question example please the a of to in and is it for with on that this as are be can will one two "
    "three red green blue river house garden number letter sound light system value point result reason method"
).split()


def rows(count: int, *, seed: int = 0, moderation: bool = True, first: int = 0) -> Iterator[dict[str, Any]]:
    """``count`` rows from row ``first`` on; a row depends on seed and its number alone."""
    for number in range(first, first + count):
        yield row(number, seed=seed, moderation=moderation)


def row(number: int, *, seed: int = 0, moderation: bool = True) -> dict[str, Any]:
    """One row of the data set's schema: 2 rounds on average, prompts of 300 and replies of 900 characters."""
    rng = random.Random(f"{seed}/{number}")
    rounds = min(1 + int(rng.expovariate(1.0)), 20)
    conversation = []
    for _ in range(rounds):
        conversation.append({"content": _text(rng, 55), "role": "user"})
        conversation.append({"content": _text(rng, 165), "role": "assistant"})
    found: dict[str, Any] = {
        "conversation_id": f"{rng.getrandbits(128):032x}",
        "model": rng.choices(list(MODELS), list(MODELS.values()))[0],
        "conversation": conversation,
        "turn": rounds,
        "language": rng.choices(list(LANGUAGES), list(LANGUAGES.values()))[0],
    }
    if moderation:
        found["openai_moderation"] = [_moderation(rng) for _ in conversation]
    found["redacted"] = rng.random() < 0.3
    return found


def _text(rng: random.Random, words: int) -> str:
    return " ".join(rng.choices(_WORDS, k=max(1, int(rng.expovariate(1 / words)))))


def _moderation(rng: random.Random) -> dict[str, Any]:
    scores = {name: rng.random() ** 8 for name in DATASET_SPELLING.values()}
    categories = {name: score > 0.95 for name, score in scores.items()}
    return {"categories": categories, "category_scores": scores, "flagged": any(categories.values())}


def write_parquet(path: Path, count: int, *, seed: int = 0, group: int = 1000) -> Path:
    """A Parquet file of generated rows, in row groups of ``group``."""
    schema = lmsys_schema()
    with pq.ParquetWriter(path, schema, compression="snappy") as writer:
        for first in range(0, count, group):
            batch = list(rows(min(group, count - first), seed=seed, first=first))
            writer.write_table(pa.Table.from_pylist(batch, schema=schema), row_group_size=group)
    return path


def write_jsonl(path: Path, lines: Iterable[object]) -> Path:
    """A JSON Lines file of rows (or of anything: a string is written as the line it is)."""
    text = "".join((line if isinstance(line, str) else json.dumps(line, ensure_ascii=False)) + "\n" for line in lines)
    path.write_bytes(text.encode(errors="surrogatepass"))
    return path


def conversation(row: object, row_index: int) -> Conversation:
    """The record of a row as a store gives it back: labelled, with its per-message moderation."""
    return _LABELLER.labelled([checked_row(row, row_index)])[0].conversation(Origin.CACHE)
