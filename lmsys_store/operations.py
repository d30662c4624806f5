"""Operations: in what order the rows of a query come, and which of them: one value, checked as it is built. Pure.

Each operation is given at most once and in one order, that of ``STAGES``; each is done to the rows that those before it left.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Literal, get_args

from lmsys_store.errors import QueryError
from lmsys_store.expressions import FIELDS, field_name
from lmsys_store.parts import SPLITS, Part, Split

Distinct = Literal["prompt", "family"]
Allocation = Literal["proportional", "equal", "sqrt"]

STAGES: Final = (("order_by", "shuffle", "sample"), ("distinct",), ("split",), ("shard",), ("limit",), ("cycle",))
"""The operations in their order; of the first three only one."""
_STAGE_OF: Final = {name: number for number, stage in enumerate(STAGES) for name in stage}


@dataclass(frozen=True)
class OrderBy:
    """By one field, missing values last, ties by row index."""

    field: str
    descending: bool = False

    def __str__(self) -> str:
        return f"{self.field!r}, descending=True" if self.descending else repr(self.field)


@dataclass(frozen=True)
class Sample:
    """``number`` rows drawn by ``seed``, stratified by fields, at most ``per_family`` of one family."""

    number: int
    seed: int
    by: tuple[str, ...] = ()
    per_family: int | None = None
    allocation: Allocation = "proportional"

    def __str__(self) -> str:
        text = f"{self.number}, seed={self.seed}"
        text += f", by={list(self.by)!r}" if self.by else ""
        text += "" if self.per_family is None else f", per_family={self.per_family}"
        return text if self.allocation == "proportional" else f"{text}, allocation={self.allocation!r}"


@dataclass(frozen=True)
class Operations:
    """What is done to the rows of a query, in the order of the fields; printed as the calls that make it.

    >>> print(Operations().shuffled(7).of_split("train").limited(10))
    .shuffle(7).split('train').limit(10)
    >>> Operations().limited(10).shuffled(7)
    Traceback (most recent call last):
    lmsys_store.errors.QueryError: shuffle comes before limit: write .shuffle(7).limit(10)
    """

    order_by: OrderBy | None = None
    shuffle: int | None = None
    sample: Sample | None = None
    distinct: Distinct | None = None
    split: Split | None = None
    shard: tuple[int, int] | None = None
    limit: int | None = None
    cycle: bool = False
    follow: bool = False

    def __str__(self) -> str:
        return "".join(f".{name}({self._arguments(name)})" for name in self.names)

    @property
    def names(self) -> tuple[str, ...]:
        """The operations that were given."""
        given = (field.name for field in fields(self) if field.name != "follow")
        return tuple(name for name in given if getattr(self, name) not in (None, False) or self._is_zero(name))

    @property
    def planned(self) -> bool:
        """Whether the whole answer must be known before the first row is: it is then ordered as a list of row indexes."""
        return bool({"order_by", "shuffle", "sample", "distinct", "cycle"} & set(self.names))

    @property
    def narrows_in_order(self) -> bool:
        """Whether split and shard depend on what was taken before them: a sample, or the first of each key."""
        return self.sample is not None or self.distinct is not None

    @property
    def goes_by_templates(self) -> bool:
        """Whether they need the keys of first prompts, which are labels: as they are stored, of whatever version."""
        capped = self.sample is not None and self.sample.per_family is not None
        return self.split is not None or self.distinct is not None or capped

    @property
    def part(self) -> Part | None:
        """Split and shard as a condition on one row; None where neither was given."""
        return None if self.split is None and self.shard is None else Part(self.split, self.shard)

    def ordered_by(self, field: str, descending: bool) -> "Operations":
        """In the order of a field."""
        name = field_name(_text("order_by", field))
        if FIELDS[name].kind == "tags":
            raise QueryError(f"order_by needs a field with one value a row; {name} has a list")
        return self._with("order_by", OrderBy(name, bool(descending)))

    def shuffled(self, seed: int) -> "Operations":
        """In an order that a seed says."""
        return self._with("shuffle", _number("shuffle", "a seed", seed, None))

    def sampled(
        self, number: int, seed: int, by: str | Sequence[str], per_family: int | None, allocation: Allocation
    ) -> "Operations":
        """A sample of so many rows."""
        names = tuple(field_name(_text("sample", name)) for name in ((by,) if isinstance(by, str) else by))
        if lists := [name for name in names if FIELDS[name].kind == "tags"]:
            raise QueryError(f"sample needs strata of one value a row; {lists[0]} has a list")
        if len(set(names)) < len(names):
            raise QueryError(f"sample names a field of its strata twice: {', '.join(names)}")
        if allocation not in get_args(Allocation):
            raise QueryError(f"unknown allocation {allocation!r}; known: {', '.join(get_args(Allocation))}")
        cap = None if per_family is None else _number("sample", "per_family", per_family, 1)
        rows, drawn = _number("sample", "a number of rows", number, 0), _number("sample", "a seed", seed, None)
        return self._with("sample", Sample(rows, drawn, names, cap, allocation))

    def distinct_by(self, key: Distinct) -> "Operations":
        """One row of each key."""
        if key not in get_args(Distinct):
            raise QueryError(f"distinct goes by {' or '.join(map(repr, get_args(Distinct)))}, not {key!r}")
        return self._with("distinct", key)

    def of_split(self, name: Split) -> "Operations":
        """The rows of one split."""
        if name not in SPLITS:
            raise QueryError(f"unknown split {name!r}; known: {', '.join(SPLITS)}")
        return self._with("split", name)

    def of_shard(self, number: int, count: int) -> "Operations":
        """The rows of one shard."""
        count = _number("shard", "a number of shards", count, 1)
        number = _number("shard", "a shard", number, 0)
        if number >= count or count > _MOST_SHARDS:
            raise QueryError(
                f"there is no shard {number} of {count}: count from 0 to {count - 1}, of at most a million"
            )
        return self._with("shard", (number, count))

    def limited(self, number: int) -> "Operations":
        """At most so many rows."""
        return self._with("limit", _number("limit", "a number of rows", number, 0))

    def cycled(self) -> "Operations":
        """Again and again."""
        return self._with("cycle", True)

    def following(self) -> "Operations":
        """With the rows that are added meanwhile."""
        return replace(self, follow=True)

    def _with(self, name: str, value: Any) -> "Operations":
        others = [other for other in self.names if _STAGE_OF[other] == _STAGE_OF[name]]
        later = [other for other in self.names if _STAGE_OF[other] > _STAGE_OF[name]]
        changes: dict[str, Any] = dict.fromkeys(others) | {name: value}
        allowed = replace(self, **changes)
        if name in others:
            raise QueryError(f"{name} is given twice: write {allowed}")
        if others:
            raise QueryError(f"{name} and {others[0]} are both orders, and rows have one: write {allowed}")
        if later:
            raise QueryError(f"{name} comes before {later[0]}: write {allowed}")
        if self.follow and allowed.planned:
            raise QueryError(f"follow=True knows row order alone: without it, write {allowed}")
        return allowed

    def _is_zero(self, name: str) -> bool:
        return name in ("shuffle", "limit") and getattr(self, name) is not None

    def _arguments(self, name: str) -> str:
        value = getattr(self, name)
        if name == "cycle":
            return ""
        if name == "shard":
            return f"{value[0]}, {value[1]}"
        return str(value) if isinstance(value, OrderBy | Sample) else repr(value)


_MOST_SHARDS: Final = 1_000_000


def _number(operation: str, what: str, value: object, least: int | None) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or (least is not None and value < least):
        bound = "" if least is None else f", {least} or more"
        raise QueryError(f"{operation} needs {what}{bound}, not {value!r}")
    return value


def _text(operation: str, value: object) -> str:
    if not isinstance(value, str):
        raise QueryError(f"{operation} needs the name of a field, not {value!r}")
    return value
