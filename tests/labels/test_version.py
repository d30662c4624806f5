"""Whoever changes what a label is must raise its version, or stores of the older code would never become stale."""

import hashlib
import json

import pytest

from lmsys_store.labels.labeller import Labeller
from lmsys_store.labels.rating import VERSION
from lmsys_store.phases import seed_conversations

LABELS_OF_SEEDS = {"4": "36587b44d60a3df7"}
"""A digest of the seeds' labels, by version."""


@pytest.mark.anyio
async def test_labels_changed_without_a_new_version() -> None:
    chats = await seed_conversations(Labeller().labelled)
    labels = [chat.labels.model_dump(mode="json") for chat in chats]
    digest = hashlib.sha256(json.dumps(labels, sort_keys=True).encode()).hexdigest()[:16]
    assert digest == LABELS_OF_SEEDS[VERSION], f"raise VERSION in labels/rating.py, and note {digest} for it here"
