"""With no network, no token and an empty home, every name a domain may be asked for by gives seeds of that domain."""

import json
import warnings
from pathlib import Path

import pytest

from lmsys_store import AsyncStore, Settings
from lmsys_store.phases import MockRowsWarning

pytestmark = pytest.mark.anyio
NOTES = Path(__file__).parents[1] / "data" / "seed_notes.jsonl"
WRITTEN_FOR: dict[str, str] = {
    note["conversation_id"]: note["written_for"]
    for note in map(json.loads, NOTES.read_text(encoding="utf8").split("\n")[:-1])
}
"""What each seed was written for: a label by hand."""
OTHER_NAMES = {
    "coding": {"software-development"}, "software-development": {"coding"}, "creative-writing": {"content-creation"},
    "content-creation": {"creative-writing"}, "ai-development": {"ai-assistants"}, "communication": {"language"},
}  # fmt: skip
NAMES = (
    "software-development", "content-creation", "data-analysis", "customer-service", "healthcare", "legal", "finance",
    "education", "coding", "creative-writing", "marketing", "ai-development", "communication",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_gives_ten_seeds_that_were_written_for_it(name: str, store_path: Path) -> None:
    async with AsyncStore(store_path, settings=Settings(offline=True)) as store:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MockRowsWarning)
            found = [chat async for chat in store.select(domain=name, language="en", fallback="mock")]
    right = [chat for chat in found if WRITTEN_FOR[chat.conversation_id] in {name, *OTHER_NAMES.get(name, ())}]
    assert len(right) >= 10, [chat.conversation_id for chat in found]
    assert len(right) >= len(found) / 2
