"""What operations must give, worked out row by row in plain Python: slow, and independent of arrays and of SQL."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from hypothesis import strategies as st

from lmsys_store.expressions import FIELDS
from lmsys_store.parts import shard_of, split_of
from lmsys_store.plans import allotted
from lmsys_store.records import Conversation

_ALL_64 = (1 << 64) - 1
_KEYS = {"prompt": "prompt_key", "family": "family"}


def hashed(row_index: int, seed: int) -> int:
    """splitmix64 of the row index and a salt made of the seed."""
    value = row_index ^ int.from_bytes(sha256(str(seed).encode()).digest()[:8], "big")
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & _ALL_64
    value = (value ^ value >> 27) * 0x94D049BB133111EB & _ALL_64
    return value ^ value >> 31


@dataclass(frozen=True)
class Call:
    """One operation as it is called."""

    name: str
    arguments: tuple[Any, ...] = ()
    keywords: dict[str, Any] = field(default_factory=dict)

    def on(self, results: Any) -> Any:
        """The results after it."""
        return getattr(results, self.name)(*self.arguments, **self.keywords)


Calls = tuple[Call, ...]


def operated(results: Any, calls: Calls) -> Any:
    """The results after all of them."""
    for call in calls:
        results = call.on(results)
    return results


def expected(chats: Iterable[Conversation], calls: Calls) -> list[int]:
    """The row indexes that the operations must give of these rows, which match and are in row order."""
    rows = list(chats)
    for call in calls:
        rows = _DONE[call.name](rows, *call.arguments, **call.keywords)
    return [chat.row_index for chat in rows]


def _order_by(rows: list[Conversation], name: str, *, descending: bool = False) -> list[Conversation]:
    read = FIELDS[name].read
    known = [chat for chat in rows if read(chat) is not None]
    # A sort is stable, reversed or not: equal values stay in row order.
    return sorted(known, key=read, reverse=descending) + [chat for chat in rows if read(chat) is None]


def _shuffle(rows: list[Conversation], seed: int) -> list[Conversation]:
    return sorted(rows, key=lambda chat: hashed(chat.row_index, seed))


def _sample(
    rows: list[Conversation],
    number: int,
    *,
    seed: int,
    by: Sequence[str] = (),
    per_family: int | None = None,
    allocation: Any = "proportional",
) -> list[Conversation]:
    if per_family is not None:
        families: dict[Any, list[Conversation]] = defaultdict(list)
        for chat in _shuffle(rows, seed):
            family = chat.labels.family
            families[("none", chat.row_index) if family is None else family].append(chat)
        rows = [chat for members in families.values() for chat in members[:per_family]]
    strata: dict[Any, list[Conversation]] = defaultdict(list)
    for chat in _shuffle(rows, seed):
        values = [FIELDS[name].read(chat) for name in by]
        strata[tuple((value is not None, value) for value in values)].append(chat)
    # A missing value is compared with missing ones alone, as the first of its pair says, so 0 may stand for it.
    comparable = {key: [(known, value if known else 0) for known, value in key] for key in strata}
    members = [strata[key] for key in sorted(strata, key=comparable.__getitem__)]
    given = allotted([len(one) for one in members], number, allocation)
    return _shuffle([chat for one, count in zip(members, given, strict=True) for chat in one[:count]], seed)


def _distinct(rows: list[Conversation], key: str) -> list[Conversation]:
    first: dict[int, int] = {}
    for chat in sorted(rows, key=lambda chat: chat.row_index):
        value = FIELDS[_KEYS[key]].read(chat)
        if value is not None:
            first.setdefault(value, chat.row_index)
    return [chat for chat in rows if first.get(FIELDS[_KEYS[key]].read(chat), chat.row_index) == chat.row_index]


def _split(rows: list[Conversation], name: str) -> list[Conversation]:
    return [chat for chat in rows if split_of(chat.labels.family, chat.row_index) == name]


def _shard(rows: list[Conversation], number: int, count: int) -> list[Conversation]:
    return [chat for chat in rows if shard_of(chat.row_index, count) == number]


_DONE: dict[str, Any] = {
    "order_by": _order_by, "shuffle": _shuffle, "sample": _sample, "distinct": _distinct, "split": _split, "shard": _shard,
    "limit": lambda rows, number: rows[:number],
}  # fmt: skip

# --------------------------------------------------------------------------------------------------- strategies

ORDERABLE = [name for name, spec in FIELDS.items() if spec.kind != "tags" and ("." not in name or "violence" in name)]
STRATA = ["model", "language", "domain", "rating", "redacted", "turn", "flagged", "moderation.violence"]

_orders = st.one_of(
    st.builds(
        lambda name, down: Call("order_by", (name,), {"descending": down}), st.sampled_from(ORDERABLE), st.booleans()
    ),
    st.builds(lambda seed: Call("shuffle", (seed,)), st.integers()),
    st.builds(
        lambda number, seed, by, cap, how: Call(
            "sample", (number,), {"seed": seed, "by": by, "per_family": cap, "allocation": how}
        ),
        st.integers(0, 300),
        st.integers(),
        st.lists(st.sampled_from(STRATA), max_size=2, unique=True),
        st.none() | st.integers(1, 3),
        st.sampled_from(["proportional", "equal", "sqrt"]),
    ),
)
_distincts = st.sampled_from([Call("distinct", ("prompt",)), Call("distinct", ("family",))])
_splits = st.sampled_from([Call("split", (name,)) for name in ("train", "dev", "test")])
_shards = st.integers(1, 4).flatmap(
    lambda count: st.builds(lambda number: Call("shard", (number, count)), st.integers(0, count - 1))
)
_limits = st.builds(lambda number: Call("limit", (number,)), st.integers(0, 200))


@st.composite
def calls(draw: st.DrawFn) -> Calls:
    """Operations in their order, any of them left out."""
    stages = (_orders, _distincts, _splits, _shards, _limits)
    return tuple(draw(stage) for stage in stages if draw(st.booleans()))
