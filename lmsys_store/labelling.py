"""Labels of rows on their way in, and computed anew for rows the store holds; nothing is fetched. A kill costs a page of work.

The labelling code is imported when the first row comes: compiled patterns and the word table cost what most reads never need.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from anyio import to_thread

from lmsys_store.errors import LabelError
from lmsys_store.records import Labels
from lmsys_store.rows import CheckedRow
from lmsys_store.settings import Settings
from lmsys_store.storage.labelling import LabelStore, StaleRow

if TYPE_CHECKING:
    from lmsys_store.labels.external import ExternalLabel
    from lmsys_store.labels.labeller import Explained, Labeller
    from lmsys_store.labels.report import Agreement

PAGE: Final = 500


@dataclass(frozen=True)
class RelabelReport:
    """What labelling anew did: rows labelled, by which version, in how many seconds."""

    rows: int
    version: str
    seconds: float


OnRelabelled = Callable[[int, int], None]
"""Called with rows done and rows to do."""


class Labelling:
    """The labeller of one store, with the user's weights where the settings name a file of them."""

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings

    @cached_property
    def labeller(self) -> "Labeller":
        """The labeller.

        Raises:
            LabelError: the file of weights cannot be used.
        """
        from lmsys_store.labels.labeller import Labeller

        return Labeller(self._weights)

    @property
    def version(self) -> str:
        """The version of the labels it makes."""
        from lmsys_store.labels.rating import version_of

        return version_of(self._weights)

    @cached_property
    def _weights(self) -> "Mapping[str, tuple[float, float]]":
        from lmsys_store.labels.rating import WEIGHTS, parse_weights

        path = self._settings().rating_weights
        return WEIGHTS if path is None else parse_weights(_text(path), str(path))

    def __call__(self, rows: Sequence[CheckedRow]) -> list[CheckedRow]:
        """The rows with their labels."""
        return self.labeller.labelled(rows)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf8")
    except (OSError, ValueError) as error:
        raise LabelError(
            f"the weights in {path} cannot be read: {error}; LMSYS_STORE_RATING_WEIGHTS names it"
        ) from error


async def relabel(store: LabelStore, labeller: "Labeller", on_progress: OnRelabelled | None = None) -> RelabelReport:
    """Label every stale row; rows that are not stale are not touched."""
    started, done, last = time.monotonic(), 0, -1
    total = await store.stale_count(labeller.version)
    while page := await store.stale(labeller.version, last, PAGE):
        await store.write(await to_thread.run_sync(_labels_of, labeller, page))
        done, last = done + len(page), page[-1].row.row_index
        if on_progress is not None:
            on_progress(done, max(total, done))
    return RelabelReport(done, labeller.version, time.monotonic() - started)


def _labels_of(labeller: "Labeller", page: Sequence[StaleRow]) -> list[tuple[int, Labels]]:
    external = {stale.row.row_index: _external_of(stale) for stale in page if stale.external}
    labels = labeller.labels([stale.row for stale in page], external)
    return [(stale.row.row_index, one) for stale, one in zip(page, labels, strict=True)]


def _external_of(stale: StaleRow) -> "dict[str, ExternalLabel]":
    from lmsys_store.labels.external import ExternalLabel

    return {name: ExternalLabel.model_validate(json.loads(value)) for name, value in stale.external.items()}


def explained(labeller: "Labeller", stale: StaleRow) -> "Explained":
    """The labels of a row as this code computes them now, with what they rest on."""
    return labeller.explain(stale.row, _external_of(stale))


def label_file(path: Path) -> tuple[str, dict[str, str]]:
    """What a file of labels says: its SHA-256, and each conversation's label as JSON by conversation id.

    Several rows about one conversation (feedback on several rounds) are joined, the later over the earlier.

    Raises:
        LabelError: the file cannot be read, or a row of it is not a label.
    """
    from lmsys_store.labels.external import ExternalLabel, external_label
    from lmsys_store.sources.tables import rows_of_table

    found: dict[str, ExternalLabel] = {}
    digest, rows = rows_of_table(path)
    for place, row in rows:
        key, label = external_label(row, place)
        found[key] = found.get(key, ExternalLabel()).joined(label)
    return digest, {key: label.model_dump_json(exclude_defaults=True) for key, label in found.items()}


async def agreement_with(store: LabelStore, labeller: "Labeller", labels: Mapping[str, str]) -> "list[Agreement]":
    """Derived labels, as computed now, against labels by conversation id in JSON."""
    from lmsys_store.labels.external import ExternalLabel
    from lmsys_store.labels.report import agreement

    pairs = []
    for key, value in labels.items():
        stale = await store.row(key)
        if stale is not None:
            pairs.append((labeller.labels([stale.row])[0], ExternalLabel.model_validate(json.loads(value))))
    return agreement(pairs)
