"""What prompts have in common, from a bottom-k sample of rows: templates, verbs with their objects, kinds, distinctive words.

State that would grow with the rows is cut to a sample by a fixed hash of the row index: up to SAMPLE rows every figure is exact,
beyond that a share p of it has a standard error of sqrt(p (1 - p) / SAMPLE). Distinct prompts are counted apart, to 0.4 %.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from lmsys_store.analyze.bottom import Smallest
from lmsys_store.analyze.columns import Columns
from lmsys_store.analyze.evidence import Count, Estimate, Slice, Structure, Word
from lmsys_store.analyze.wording import feature_words, readable
from lmsys_store.labels.keys import family_text
from lmsys_store.labels.mixing import mixed
from lmsys_store.labels.structure import verb_and_object
from lmsys_store.search import tokens

SAMPLE: Final = 30_000
DISTINCT: Final = 1 << 16
LEAST: Final = 5
"""Different prompts that anything must have before it is shown."""
_READ: Final = 400
_NAMED: Final = 3
_TEMPLATES, _HEADS, _KINDS = 20, 24, 14
_SLICE: Final = 50
_WORDS_A_SLICE: Final = 8
_WORDS: Final = 400
_WORD_PROMPTS: Final = 10_000
"""Different prompts whose words are counted: the first in the order of the sample's hashes."""
_LEAST_Z: Final = 3.0
_PRIOR: Final = 500.0
"""The prior's weight in words: Monroe, Colaresi and Quinn, "Fightin' Words" (2008), with the whole sample as the prior."""
_WORD: Final = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class SampledRow:
    """A row of the sample; ``prompt`` is cut to its first 400 characters."""

    prompt: str
    conversation_id: str
    prompt_key: int
    family: int
    domain: str
    kind: str
    rated: int
    """1: rated 4 or more, -1: 2 or less, else 0."""


class RowSample:
    """A sample of rows, and the number of different prompts."""

    def __init__(self) -> None:
        columns = {"prompt_key": np.uint64, "family": np.uint64, "outcomes": np.uint64}
        texts = {"prompt": np.object_, "id": np.object_, "domain": np.object_, "kind": np.object_}
        self._rows = Smallest(SAMPLE, {**columns, **texts})
        self._prompts = Smallest(DISTINCT, {})

    def add(self, columns: Columns) -> None:
        """Some rows; those without labels have no keys, and are left out."""
        labelled = np.flatnonzero(columns.labelled)
        key = mixed(columns.prompt_key[labelled])
        self._prompts.add(key=key, rank=key)
        at = labelled[self._rows.may_enter(columns.rank[labelled])]
        chosen = at.tolist()
        self._rows.add(
            key=columns.rank[at], rank=columns.rank[at], prompt_key=columns.prompt_key[at], family=columns.family[at],
            outcomes=columns.outcomes[at], prompt=_objects([columns.prompts[one][:_READ] for one in chosen]),
            id=_objects([columns.chats[one].conversation_id for one in chosen]),
            domain=_objects([columns.labels[one].domain for one in chosen]),
            kind=_objects([columns.kinds[one] for one in chosen]),
        )  # fmt: skip

    def merge(self, other: "RowSample") -> None:
        """The rows of another."""
        self._rows.merge(other._rows)
        self._prompts.merge(other._prompts)

    @property
    def cut(self) -> bool:
        """Whether there were more rows than the sample holds."""
        return self._rows.cut

    def distinct_prompts(self) -> Estimate:
        """How many different first prompts there were."""
        value, error = self._prompts.distinct()
        return Estimate(value=value, error=error)

    def rows(self) -> list[SampledRow]:
        """The sample, in the order of its hashes."""
        found = self._rows.columns()
        outcomes = found["outcomes"].astype(np.int64)
        rated = (outcomes & 1) - (outcomes >> 1 & 1)
        columns = [found[name].tolist() for name in ("prompt", "id", "prompt_key", "family", "domain", "kind")]
        return [SampledRow(*values) for values in zip(*columns, rated.tolist(), strict=True)]


def _objects(values: Sequence[Any]) -> "np.ndarray[Any, np.dtype[np.object_]]":
    found = np.empty(len(values), np.object_)
    found[:] = values
    return found


class Structures:
    """What a sample shows; ``total`` is how many rows it stands for, ``level`` what they are called."""

    def __init__(self, rows: Sequence[SampledRow], total: int, level: str) -> None:
        self._rows, self._total, self._level = rows, total, level

    def templates(self) -> tuple[Structure, ...]:
        """First sentences that many different prompts share but for names, numbers and quotations, most rows first."""
        groups = _grouped(self._rows, [row.family for row in self._rows])
        return self._largest(groups, _TEMPLATES, lambda members: ("template", readable(family_text(members[0].prompt))))

    def heads(self) -> tuple[Structure, ...]:
        """Verbs of instructions with what they are about, most rows first."""
        found = [verb_and_object(row.prompt) for row in self._rows]
        groups = _grouped(self._rows, found)
        names = {id(members): head for head, members in groups.items() if head is not None}
        kept = {head: members for head, members in groups.items() if head is not None}
        return self._largest(kept, _HEADS, lambda members: ("verb and object", " … ".join(names[id(members)])))

    def kinds(self) -> tuple[Structure, ...]:
        """The kinds of questions, most rows first."""
        groups = _grouped(self._rows, [row.kind for row in self._rows])
        names = {id(members): f"a prompt that {feature_words(f'kind:{kind}')}" for kind, members in groups.items()}
        return self._largest(groups, _KINDS, lambda members: ("question kind", names[id(members)]))

    def _largest(self, groups: "dict[Any, list[SampledRow]]", most: int, name: Any) -> tuple[Structure, ...]:
        counted = [(members, len({row.prompt_key for row in members})) for members in groups.values()]
        shown = [(members, distinct) for members, distinct in counted if distinct >= LEAST]
        shown.sort(key=lambda pair: (-len(pair[0]), pair[0][0].prompt_key))
        return tuple(self._structure(members, distinct, *name(members)) for members, distinct in shown[:most])

    def _structure(self, members: "list[SampledRow]", distinct: int, kind: str, name: str) -> Structure:
        share = len(members) / len(self._rows)
        families = Counter(row.family for row in members)
        # Of the largest template; one word alone is no example.
        common = max(members, key=lambda row: (" " in row.prompt.strip(), families[row.family], -row.prompt_key))
        return Structure(
            kind=kind, name=name, rows=round(share * self._total), share=share, distinct=distinct,
            example=readable(family_text(common.prompt)), level=self._level,
            shown_by=tuple(row.conversation_id for row in members[:_NAMED]),
        )  # fmt: skip

    @cached_property
    def _domains(self) -> "dict[str, list[SampledRow]]":
        return _grouped(self._different, [row.domain for row in self._different])

    @cached_property
    def _domain_words(self) -> dict[str, Counter[str]]:
        return {domain: _words_of(rows) for domain, rows in self._domains.items()}

    @cached_property
    def _all_words(self) -> Counter[str]:
        return sum(self._domain_words.values(), Counter())

    def words(self) -> tuple[Count, ...]:
        """The words of different prompts, those in most of them first: what two reports are compared by."""
        ordered = _ordered(self._all_words)
        return tuple(Count(name=word, rows=count) for word, count in ordered if count >= LEAST)[:_WORDS]

    def slices(self) -> tuple[Slice, ...]:
        """The distinctive words of each domain, and of well and badly rated chats, where there are enough prompts of them."""
        parts = {name: (len(self._domains[name]), words) for name, words in sorted(self._domain_words.items())}
        if len(parts) < 2:
            parts = {}
        for name, sign in _RATED.items():
            rows = [row for row in self._different if row.rated == sign]
            parts[name] = len(rows), _words_of(rows)
        return tuple(
            Slice(name=name, prompts=count, words=distinctive(words, self._all_words))
            for name, (count, words) in parts.items()
            if count >= _SLICE
        )

    @cached_property
    def _different(self) -> list[SampledRow]:
        """One row of every prompt: a template sent a thousand times has no more words than one."""
        found: dict[int, SampledRow] = {}
        for row in self._rows:
            if len(found) < _WORD_PROMPTS:
                found.setdefault(row.prompt_key, row)
        return list(found.values())


_RATED: Final = {"rated 4 or more": 1, "rated 2 or less": -1}


def _grouped(rows: Sequence[SampledRow], keys: Sequence[Any]) -> "dict[Any, list[SampledRow]]":
    groups: defaultdict[Any, list[SampledRow]] = defaultdict(list)
    for row, key in zip(rows, keys, strict=True):
        groups[key].append(row)
    return groups


def _words_of(rows: Iterable[SampledRow]) -> Counter[str]:
    """In how many prompts each word occurs."""
    found: Counter[str] = Counter()
    for row in rows:
        found.update({*tokens(row.prompt)})
    words = [word for word in found if _WORD.fullmatch(word) and len(word) <= _LONGEST]
    return Counter({word: found[word] for word in words})


_LONGEST: Final = 24


def _ordered(counted: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))


def distinctive(part: Counter[str], whole: Counter[str], most: int = _WORDS_A_SLICE) -> tuple[Word, ...]:
    """The words that are more frequent in a part than in the rest of the whole: weighted log-odds with a Dirichlet prior.

    Both count prompts that have a word. Words of fewer than five prompts of the part are left out.
    """
    rest = whole - part
    inside, outside, prior = part.total(), rest.total(), max(whole.total(), 1)
    words = [word for word, count in _ordered(part) if count >= LEAST]
    if not words or not outside:
        return ()
    alpha = np.array([_PRIOR * whole[word] / prior for word in words])
    own = np.array([part[word] for word in words]) + alpha
    other = np.array([rest[word] for word in words]) + alpha
    log_odds = np.log(own / (inside + _PRIOR - own)) - np.log(other / (outside + _PRIOR - other))
    z = log_odds / np.sqrt(1 / own + 1 / other)
    order = np.argsort(-z, kind="stable")[:most]
    return tuple(Word(word=words[at], z=float(z[at]), prompts=part[words[at]]) for at in order if z[at] >= _LEAST_Z)
