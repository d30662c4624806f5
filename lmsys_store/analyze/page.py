"""A report as one HTML page: findings with their evidence, charts, what is missing. It loads nothing, and runs nothing.

The hazard: chats hold HTML. Whatever is not written here passes :func:`~lmsys_store.analyze.charts.escaped`, and the page's own
policy lets no script, no image and no request through, should anything slip.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from lmsys_store.analyze.charts import Bar, Effect, bars, columns, escaped, forest, heat_map
from lmsys_store.analyze.evidence import Association, Count, Structure
from lmsys_store.analyze.style import STYLE
from lmsys_store.analyze.wording import feature_words, features_words, outcome_words, percent, readable, sentence
from lmsys_store.labels.keys import family_text

if TYPE_CHECKING:
    from lmsys_store.analyze.comparing import Comparison
    from lmsys_store.analyze.report import PatternReport

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_FINDINGS, _BARS, _MODELS, _DOMAINS = 14, 12, 8, 18


def page(report: "PatternReport", comparison: "Comparison | None" = None) -> str:
    """The whole page."""
    parts = [
        _head(report),
        _figures(report),
        "" if comparison is None else _comparison(comparison),
        _recommended(report),
        _effects(report),
        _rates(report),
        _structures(report),
        _heat(report),
        _distributions(report),
        _words(report),
        _exemplars(report),
        _limits(report),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><meta name="referrer" content="no-referrer">'
        f"<title>Patterns in {escaped(report.level)}</title><style>{STYLE}</style></head>\n<body><main>"
        f"{''.join(parts)}<footer>Made by lmsys_store. Ids are conversation ids: "
        "<code>lmsys-store show ID</code> prints one chat whole.</footer></main></body></html>\n"
    )


def _section(title: str, body: str, hint: str = "") -> str:
    told = f'<p class="hint">{escaped(hint)}</p>' if hint else ""
    return f"<section><h2>{escaped(title)}</h2>{told}{body}</section>\n" if body else ""


def _list(lines: Iterable[str]) -> str:
    items = "".join(f"<li>{line}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def holds_texts(report: "PatternReport") -> bool:
    """Whether a report has texts of chats, masked or not: then it is not to be passed on."""
    return bool(report.exemplars) or any(one.example for one in report.common_structures)


def _head(report: "PatternReport") -> str:
    if holds_texts(report):
        share = '<span class="share no">holds texts of chats, masked: not to be passed on (--no-examples leaves them out)</span>'
    else:
        share = '<span class="share yes">holds no text of a chat: may be passed on</span>'
    return f"<header><h1>Patterns in {escaped(report.level)}</h1>{share}</header>"


def _figures(report: "PatternReport") -> str:
    figures = [
        (f"{report.rows:,}", "chats"),
        (str(report.prompts).split(" (")[0], "different first prompts"),
        (percent(report.duplicates), "duplicates"),
        (f"{len(report.models):,} / {len(report.domains):,}", "models / domains"),
        (percent(report.no_evidence), "of the ratings rest on nothing"),
        (f"{sum(one.found for one in report.associations):,} of {len(report.associations):,}", "associations passed"),
    ]
    cells = [
        f'<div class="figure"><b>{escaped(value)}</b><span>{escaped(name)}</span></div>' for value, name in figures
    ]
    return f'<div class="figures">{"".join(cells)}</div>\n'


def _recommended(report: "PatternReport") -> str:
    slots = report.recommended_structure
    if not slots:
        missing = _list(map(escaped, report.missing[:3]))
        return _section("Recommended structure", f"<p>No part of a prompt passed. What it would take:</p>{missing}")
    words = escaped(sentence([slot.instruction for slot in slots]))
    evidence = _list(f"{escaped(str(one))}{_ids(one)}" for slot in slots for one in slot.evidence)
    body = f'<p class="say">{words}</p>{evidence}'
    hint = "Each part is here only because its interval, widened for having been selected, excludes “no effect”."
    return _section("Recommended structure", body, hint)


def _ids(found: Association) -> str:
    """The chats a finding is seen in, and those that speak against it."""
    parts = []
    for name, ids in (("seen in", found.shown_by), ("but not in", found.countered_by)):
        if ids:
            parts.append(f"{name} {_codes(ids)}")
    return f'<span class="note">{"; ".join(parts)}</span>' if parts else ""


def _codes(ids: Sequence[str]) -> str:
    return " ".join(f"<code>{escaped(one)}</code>" for one in ids)


def _effects(report: "PatternReport") -> str:
    found = [*report.successful_patterns[:_FINDINGS], *report.failure_indicators[:_FINDINGS]]
    shown = found or [one for one in report.associations if len(one.features) == 1][:_FINDINGS]
    if not shown:
        return _section("What goes with what", "<p>Nothing could be tested: see what is missing, below.</p>")
    effects = [
        Effect(
            f"{features_words(one.features)} → {outcome_words(one.outcome)}", one.odds_ratio, one.low, one.high,
            _kind(one),
            f"{percent(one.rate)} of {one.rows:,} against {percent(one.other_rate)}; {one.held} of {one.strata} strata"
            f"{', which differ' if one.differs else ''}; {one.level}",
        )
        for one in shown
    ]  # fmt: skip
    ids = _list(
        f"{escaped(features_words(one.features))} → {escaped(outcome_words(one.outcome))}{_ids(one)}" for one in found
    )
    more = (
        f"<details><summary>Chats that show each of them, and chats that do not</summary>{ids}</details>" if ids else ""
    )
    hint = (
        "Odds of the outcome in prompts with the feature over those without, 95 % intervals, compared within one model, one "
        "domain and one answer to “did the user write again”. Green: more of what is good or less of what is bad."
    )
    none = "" if found else "<p>Nothing passed. The strongest that were tested:</p>"
    return _section("What goes with success and failure", none + forest(effects, "odds ratios") + more, hint)


def _kind(found: Association) -> str:
    return ("good" if found.favourable else "bad") if found.found else "open"


def _rates(report: "PatternReport") -> str:
    most = max([one.high for one in report.outcomes if one.of] or [1.0])
    rows = [
        Bar(
            outcome_words(one.name), percent(one.rate), one.rate / most, "good" if one.name in ("rated-4", "praise") else "bad",
            f"{one.rows:,} of {one.of:,}; 95 % {percent(one.low)} to {percent(one.high)}; {one.level}",
        )
        for one in report.outcomes
        if one.of
    ]  # fmt: skip
    hint = "One row a (template, model); corrections and praise among the chats in which the user wrote again."
    body = f'<div class="tall">{bars(rows, "rates of outcomes")}</div>' if rows else ""
    return _section("How often", body, hint)


def _structures(report: "PatternReport") -> str:
    def part(title: str, kind: str) -> str:
        found = report.structures(kind)[:_BARS]
        return f"<h3>{title}</h3>{_structure_bars(found, title)}" if found else ""

    left = part("Kinds of questions", "question kind")
    right = part("Verbs and what they are about", "verb and object") + _features(report)
    templates = f'<div class="tall">{part("Templates: many different prompts, one first sentence", "template")}</div>'
    body = f'<div class="two"><div>{left}</div><div>{right}</div></div>{templates}' if report.common_structures else ""
    return _section(
        "How prompts are built", body, "Nothing that fewer than five different prompts have in common is shown."
    )


def _structure_bars(found: Sequence[Structure], title: str) -> str:
    most = max(one.share for one in found)

    def row(one: Structure) -> Bar:
        example = f"“{one.example}”, " if one.example and one.example != one.name else ""
        level = f"; {one.level}" if len({other.level for other in found}) > 1 else ""
        name = one.name.removeprefix("a prompt that ")
        return Bar(name, f"{one.rows:,}", one.share / most, "", f"{example}{one.distinct:,} different{level}")

    return bars(map(row, found), title)


def _features(report: "PatternReport") -> str:
    shown = [one for one in report.features if not one.name.startswith("kind:")][:_BARS]
    if not shown:
        return ""
    rows = [Bar(feature_words(one.name), percent(one.rows / report.rows), one.rows / shown[0].rows) for one in shown]
    return f"<h3>Parts of prompts</h3>{bars(rows, 'parts of prompts')}"


def _heat(report: "PatternReport") -> str:
    models = [one.name for one in report.models[:_MODELS]]
    domains = [one.name for one in report.domains[:_DOMAINS]]
    counts: dict[tuple[str, str], int] = {}
    for cell in report.cells:
        counts[cell.domain, cell.model] = counts.get((cell.domain, cell.model), 0) + cell.rows
    if not counts:
        return ""
    rest = len(report.models) - len(models)
    title = f"Different (template, model) pairs{f'; {rest:,} more models are left out' if rest > 0 else ''}"
    table = heat_map(
        domains, models, [[counts.get((domain, model), 0) for model in models] for domain in domains], title
    )
    return _section("Domains and models", f'<div class="wide">{table}</div>')


def _distributions(report: "PatternReport") -> str:
    if not report.rows:
        return ""
    most = max([one.rows for one in report.ratings] or [1]) or 1
    ratings = [
        Bar(
            one.name, percent(one.rows / report.rows), one.rows / most,
            {"4 and more": "good", "2 and less": "bad", "3, no evidence": "nothing"}.get(one.name, ""), f"{one.rows:,} rows",
        )
        for one in report.ratings
        if one.rows
    ]  # fmt: skip
    left = (
        f"<h3>Ratings</h3>{bars(ratings, 'ratings')}<h3>Languages</h3>{_count_bars(report.languages[:6], report.rows)}"
    )
    right = "".join(
        _histogram(counts, title)
        for title, counts in (
            ("Characters of the first prompt (each class twice as wide as the one before)", report.prompt_lengths),
            ("Characters of the first reply", report.reply_lengths),
            ("Rounds", report.turns),
        )
    )
    nothing = percent(report.no_evidence)
    hint = f"{nothing} of the chats hold no evidence of how the user was served: their rating is 3 for that reason."
    return _section("Distributions", f'<div class="two"><div>{left}</div><div>{right}</div></div>', hint)


def _count_bars(counts: Sequence[Count], rows: int) -> str:
    most = max([one.rows for one in counts] or [1])
    return bars((Bar(one.name, percent(one.rows / rows), one.rows / most) for one in counts), "counts")


_LEAST_CLASSES: Final = 6
"""A histogram of one class is a block of colour."""


def _histogram(counts: Sequence[Count], title: str) -> str:
    used = [at for at, one in enumerate(counts) if one.rows]
    if not used:
        return ""
    shown = counts[used[0] : max(used[-1] + 1, used[0] + _LEAST_CLASSES)]
    return columns([one.name for one in shown], [one.rows for one in shown], title)


def _words(report: "PatternReport") -> str:
    shown = [one for one in report.slices if one.words]
    body = "".join(
        f"<p><b>{escaped(one.name)}, {one.prompts:,} prompts</b>{escaped(', '.join(word.word for word in one.words))}</p>"
        for one in shown
    )
    hint = (
        "More frequent here than in all the other rows: log-odds with a Dirichlet prior, three standard errors or more."
    )
    return _section("Distinctive words", f'<div class="words">{body}</div>' if body else "", hint)


def _exemplars(report: "PatternReport") -> str:
    rows = (
        f"{escaped(readable(family_text(one.prompt)))} <code>{escaped(one.conversation_id)}</code>"
        f'<span class="note">{escaped(one.evidence)}</span>'
        for one in report.exemplars[:_BARS]
    )
    return _section(
        "Prompts that did best", _list(rows), "First sentences, masked; best rated first, one of each template."
    )


def _comparison(comparison: "Comparison") -> str:
    effects = [
        Effect(
            outcome_words(one.outcome), one.odds_ratio, one.low, one.high, "open" if not one.found else "",
            f"{percent(one.rate)} against {percent(one.other_rate)}; {one.strata} strata"
            f"{'' if one.found else '; no difference shown'}",
        )
        for one in comparison.outcomes
    ]  # fmt: skip
    most = max([max(one.share, one.other_share) for one in comparison.shares] or [1.0])
    rows = [
        Bar(
            one.name, f"{percent(one.share)} : {percent(one.other_share)}", one.share / most, "pair",
            other_share=one.other_share / most,
        )
        for one in comparison.shares
    ]  # fmt: skip
    words = "".join(
        f"<p><b>{escaped(name)}</b>{escaped(', '.join(one.word for one in found)) or 'none stands out'}</p>"
        for name, found in ((comparison.one, comparison.words), (comparison.other, comparison.other_words))
    )
    odds = f"<h3>Outcomes: odds of the first over the second</h3>{forest(effects, 'odds ratios')}" if effects else ""
    legend = f"{escaped(comparison.one)} above, {escaped(comparison.other)} below, in grey"
    shares = f"<h3>Shares of rows: {legend}</h3>{bars(rows, 'shares')}" if rows else ""
    body = f'{odds}{shares}<h3>Words</h3><div class="words">{words}</div>{_list(map(escaped, comparison.caveats))}'
    title = f"{comparison.one} ({comparison.rows:,} chats) against {comparison.other} ({comparison.other_rows:,})"
    return _section(title, body)


def _limits(report: "PatternReport") -> str:
    missing = _list(map(escaped, report.missing))
    untested = _list(escaped(str(one)) for one in sorted(report.untested, key=lambda one: one.needed)[:_BARS])
    parts = [f"<h3>Missing</h3>{missing}" if missing else ""]
    if untested:
        parts.append(f"<details><summary>What had too few rows to be tested</summary>{untested}</details>")
    parts.append(f"<h3>Caveats</h3>{_list(map(escaped, report.caveats))}")
    return _section("What this does not show", "".join(parts))
