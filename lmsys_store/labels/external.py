"""Labels from outside: votes, judges' scores, feedback somebody else found, laid over the derived ones. Pure.

The hazard: a label of one vocabulary read as another's. Domains, tasks and tags are checked against ours; ratings are 1 to 5.
"""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, Final

from pydantic import Field, ValidationError, field_validator

from lmsys_store import vocabulary
from lmsys_store.errors import LabelError, QueryError
from lmsys_store.records import Record

FEEDBACK: Final[Mapping[str, str]] = {
    "UR1": "rephrase", "UR2": "user-correction", "UR3": "user-rejection", "UR4": "clarification", "UR5": "praise",
    "rephrase": "rephrase", "correction": "user-correction", "rejection": "user-rejection",
    "clarification": "clarification", "praise": "praise",
}  # fmt: skip
"""Names of feedback, ours and those of the published taxonomy (Don-Yehiya et al. 2024), to our signals."""

VOTES: Final[Mapping[str, float]] = {"winner": 5.0, "tie": 3.0, "both-bad": 2.0, "loser": 1.0}
"""What somebody who saw two replies side by side said of this one, as a rating."""


class ExternalLabel(Record):
    """What one import says of one row; None where it says nothing.

    ``feedback`` maps a round (1 is the first) to the signal that the user's next message is said to be.
    """

    rating: Annotated[float, Field(ge=1, le=5)] | None = None
    domain: str | None = None
    task: str | None = None
    tags: tuple[str, ...] | None = None
    feedback: dict[int, str] = Field(default_factory=dict)

    @field_validator("domain")
    @classmethod
    def _domain(cls, value: str | None) -> str | None:
        return None if value is None else _known(vocabulary.domain_word, value)

    @field_validator("task")
    @classmethod
    def _task(cls, value: str | None) -> str | None:
        return None if value is None else _known(partial(vocabulary.known_word, "task", known=vocabulary.TASKS), value)

    @field_validator("tags")
    @classmethod
    def _tags(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        word = partial(vocabulary.known_word, "tag", known=vocabulary.TAGS)
        return None if value is None else tuple(sorted({_known(word, tag) for tag in value}))

    def joined(self, later: "ExternalLabel") -> "ExternalLabel":
        """Both together; where both speak, the later one."""
        values = {name: value for name, value in later if value is not None and name != "feedback"}
        return self.model_copy(update={**values, "feedback": {**self.feedback, **later.feedback}})


def _known(word: Callable[[str], str], value: str) -> str:
    """The id of a word; pydantic reports errors of values only."""
    try:
        return word(value)
    except QueryError as error:
        raise ValueError(str(error)) from None


def external_label(row: Mapping[str, Any], place: str) -> tuple[str, ExternalLabel]:
    """The conversation id and the label of one row of a file; ``place`` names the row in errors.

    ``tags`` are a list, or words with commas between them; ``feedback`` is a name of FEEDBACK (also under ``category``) about
    the round in ``round`` (also ``feedback_turn``); ``vote`` is one of VOTES, in place of a rating; empty texts say nothing.

    Raises:
        LabelError: no conversation id, nothing said, or a value that is not of ours.
    """
    values = {key: value for key, value in row.items() if value is not None and value != ""}
    key = values.get("conversation_id")
    if not isinstance(key, str):
        raise LabelError(f"{place}: conversation_id is missing; every row needs the id of the row it labels")
    given: dict[str, Any] = {name: values[name] for name in ("rating", "domain", "task") if name in values}
    if "vote" in values:
        if "rating" in values:
            raise LabelError(f"{place}: rating and vote say the same thing; give one of them")
        given["rating"] = _vote(values["vote"], place)
    if "tags" in values:
        given["tags"] = _tags_of(values["tags"], place)
    feedback = values.get("feedback", values.get("category"))
    if feedback is not None:
        given["feedback"] = {_round(values, place): _signal(feedback, place)}
    if not given:
        raise LabelError(
            f"{place}: nothing is said of {key}; give rating, vote, domain, task, tags or feedback with its round"
        )
    try:
        return key, ExternalLabel.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        raise LabelError(f"{place}: {first['loc'][0]}: {first['msg']}") from None


def _tags_of(value: Any, place: str) -> tuple[str, ...]:
    words = value
    if isinstance(value, str):
        try:
            words = json.loads(value) if value.startswith("[") else value.split(",")
        except ValueError:
            words = None
    if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words):
        raise LabelError(f"{place}: tags need a list of words, or words with commas between them, not {value!r}")
    return tuple(word.strip() for word in words if word.strip())


def _round(values: Mapping[str, Any], place: str) -> int:
    try:
        number = int(values.get("round", values.get("feedback_turn")))
    except (TypeError, ValueError, OverflowError):
        number = 0
    if number < 1:
        raise LabelError(f"{place}: feedback needs its round, 1 for what follows the first reply")
    return number


def _vote(value: Any, place: str) -> float:
    vote = str(value).strip().lower().replace(" ", "-").replace("_", "-")
    if vote not in VOTES:
        raise LabelError(f"{place}: unknown vote {value!r}; known: {', '.join(VOTES)}")
    return VOTES[vote]


def _signal(value: Any, place: str) -> str:
    if not isinstance(value, str) or value not in FEEDBACK:
        raise LabelError(f"{place}: unknown feedback {value!r}; known: {', '.join(FEEDBACK)}")
    return FEEDBACK[value]
