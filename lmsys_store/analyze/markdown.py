"""A report as Markdown. The hazard: chats hold markup, so every text of a chat stands in a code span that it cannot leave."""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from lmsys_store.analyze.wording import feature_words, percent, sentence

if TYPE_CHECKING:
    from lmsys_store.analyze.comparing import Comparison
    from lmsys_store.analyze.evidence import Association, Structure
    from lmsys_store.analyze.report import PatternReport

_MOST: Final = 10
_MARKUP: Final = re.compile(r"([\\`*_{}\[\]<>()#+\-.!|~&])")


def plain(text: str) -> str:
    """A text with every mark of Markdown or HTML escaped, on one line.

    >>> plain("<b>[x](y)")
    '\\\\<b\\\\>\\\\[x\\\\]\\\\(y\\\\)'
    """
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))


def markdown(report: "PatternReport", comparison: "Comparison | None" = None) -> str:
    """The findings of a report, each with its evidence."""
    parts = [
        f"# Patterns in {plain(report.level)}\n",
        f"{report.rows:,} rows, {report.prompts} different first prompts, {percent(report.duplicates)} duplicates; "
        f"{percent(report.no_evidence)} of the ratings rest on nothing.\n",
        _section("Recommended structure", _recommended(report)),
        _section("Goes with success", map(_finding, report.successful_patterns[:_MOST])),
        _section("Goes with failure", map(_finding, report.failure_indicators[:_MOST])),
        _section("How often", (plain(str(rate)) for rate in report.outcomes)),
        *(_section(title, map(_structure, report.structures(kind)[:_MOST])) for title, kind in _STRUCTURES),
        _section("Features of prompts", _features(report)),
        _section("Missing", map(plain, report.missing)),
        _section("Caveats", map(plain, report.caveats)),
    ]
    if comparison is not None:
        parts.insert(2, _compared(comparison))
    return "\n".join(part for part in parts if part)


_STRUCTURES: Final = (
    ("Kinds of questions", "question kind"),
    ("Verbs and objects", "verb and object"),
    ("Templates", "template"),
)


def _section(title: str, lines: Iterable[str]) -> str:
    listed = [f"- {line}" for line in lines]
    return "\n".join([f"## {title}\n", *listed, ""]) if listed else ""


def _recommended(report: "PatternReport") -> Sequence[str]:
    slots = report.recommended_structure
    if not slots:
        return ["No part of a prompt passed; see *Missing*."]
    return [
        f"**{plain(sentence([slot.instruction for slot in slots]))}**",
        *(plain(str(one)) for slot in slots for one in slot.evidence),
    ]


def _finding(found: "Association") -> str:
    shown = f" Shown by {_ids(found.shown_by)}." if found.shown_by else ""
    countered = f" Against it: {_ids(found.countered_by)}." if found.countered_by else ""
    return f"{plain(str(found))}.{shown}{countered}"


def _ids(ids: Sequence[str]) -> str:
    return ", ".join(map(plain, ids))


def _structure(found: "Structure") -> str:
    return plain(str(found))


def _features(report: "PatternReport") -> Iterable[str]:
    return (
        f"{plain(feature_words(one.name))}: {one.rows:,} rows, {percent(one.rows / report.rows)}"
        for one in report.features[:_MOST]
    )


def _compared(comparison: "Comparison") -> str:
    title = f"{comparison.one} ({comparison.rows:,} rows) against {comparison.other} ({comparison.other_rows:,} rows)"
    words = [
        f"words of {name}: {', '.join(one.word for one in found)}"
        for name, found in ((comparison.one, comparison.words), (comparison.other, comparison.other_words))
        if found
    ]
    lines = [*map(str, comparison.outcomes), *map(str, comparison.shares), *words, *comparison.caveats]
    return _section(plain(title), map(plain, lines))
