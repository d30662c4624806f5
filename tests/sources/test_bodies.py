"""The body of an answer: joined, refused when it has no end, and given back to memory when it breaks off."""

import tracemalloc
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from lmsys_store.sources.client import _whole_body

pytestmark = pytest.mark.anyio

CHUNK = 1 << 20


def answer(chunks: int, error: Exception | None = None) -> Any:
    async def parts(size: int) -> AsyncIterator[bytes]:
        for number in range(chunks):
            yield bytes([number]) * CHUNK
        if error is not None:
            raise error

    return SimpleNamespace(content=SimpleNamespace(iter_chunked=parts))


async def test_a_body_is_all_its_chunks() -> None:
    body = await _whole_body(answer(3))
    assert body == b"".join(bytes([number]) * CHUNK for number in range(3))


async def test_the_error_of_a_body_that_breaks_off_keeps_nothing_of_it() -> None:
    """The error lives on while the request waits to be tried again, and the next body comes beside it."""
    tracemalloc.start()
    try:
        with pytest.raises(TimeoutError) as caught:
            await _whole_body(answer(50, TimeoutError()))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value is not None and held < 5 * CHUNK
