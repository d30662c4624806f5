"""The bundled seeds: conversations written for this project, so that everything can be tried without the data set."""

import json
from pathlib import Path
from typing import Final

from anyio import to_thread

from lmsys_store.sources.base import Identity
from lmsys_store.sources.files import FileSource
from lmsys_store.sources.jsonl import JsonLinesShard

DATASET: Final = "mock/seeds"
_SEEDS: Final = Path(__file__).with_name("seeds.jsonl")


async def seeds() -> FileSource:
    """The seeds as a source; their revision is their content's digest, so an edited set is another revision."""
    shard = await to_thread.run_sync(JsonLinesShard, _SEEDS)
    return FileSource([shard], Identity(DATASET, shard.fingerprint.split()[-1][:40]), "the bundled mock seeds")


def seed_ids() -> set[str]:
    """The conversation ids of the seeds."""
    return {json.loads(line)["conversation_id"] for line in _SEEDS.read_text(encoding="utf8").splitlines()}
