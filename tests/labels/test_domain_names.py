"""Each name by which a domain may be asked for finds its prompts and leaves the near misses: 40 prompts a name, written for this
test and apart from all that the word table is trained on."""

import json
from pathlib import Path
from typing import Any

import pytest

from lmsys_store import Conversation, Query
from lmsys_store.labels.labeller import Labeller
from lmsys_store.records import Origin
from lmsys_store.rows import checked_row

PROMPTS = Path(__file__).parents[1] / "data" / "domain_names.jsonl"
ROWS: list[dict[str, Any]] = [json.loads(line) for line in PROMPTS.read_text(encoding="utf8").split("\n") if line]
NAMES = tuple(dict.fromkeys(row["name"] for row in ROWS))


@pytest.fixture(scope="module")
def chats() -> list[Conversation]:
    """The prompts as labelled conversations."""
    rows = [
        checked_row(
            {"conversation_id": str(at), "model": "m", "conversation": [{"role": "user", "content": row["prompt"]}]}, at
        )
        for at, row in enumerate(ROWS)
    ]
    return [row.conversation(Origin.CACHE) for row in Labeller().labelled(rows)]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_finds_its_prompts_and_leaves_the_near_misses(name: str, chats: list[Conversation]) -> None:
    asked = [
        (row["belongs"], Query.of(domain=name).matches(chats[at])) for at, row in enumerate(ROWS) if row["name"] == name
    ]
    hits = sum(belongs and found for belongs, found in asked)
    belong, found = sum(belongs for belongs, _ in asked), sum(found for _, found in asked)
    assert (len(asked), belong) == (40, 20)
    assert hits / belong >= 0.70, f"recall {hits / belong:.2f}"
    assert hits / found >= 0.75, f"precision {hits / found:.2f}"
