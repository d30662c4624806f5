"""What a report says: of ordinary chats, of too few, of unlabelled ones, of one model or domain alone."""

import subprocess
import sys
from pathlib import Path

import pytest

from lmsys_store import Store
from lmsys_store.analyze import PatternReport, Patterns, compare
from lmsys_store.labels.rating import VERSION
from lmsys_store.records import Conversation, Labels, ModerationSummary
from tests.analyze.chats import chat, labelled, random_chats


def report_of(chats: list[Conversation], level: str = "these rows") -> PatternReport:
    patterns = Patterns(level)
    patterns.update(chats)
    return patterns.result()


CHATS = random_chats(1500, seed=2)
REPORT = report_of(CHATS)


def test_rows_are_counted_exactly() -> None:
    assert REPORT.rows == REPORT.labelled == 1500
    for counts in (REPORT.models, REPORT.domains, REPORT.languages, REPORT.kinds, REPORT.ratings, REPORT.turns):
        assert sum(one.rows for one in counts) == 1500
    assert sum(one.rows for one in REPORT.prompt_lengths) == 1500
    assert REPORT.prompts.value == len({one.labels.prompt_key for one in CHATS}) and REPORT.prompts.error == 0
    assert REPORT.duplicates == pytest.approx(1 - REPORT.prompts.value / 1500)
    assert {one.name: one.rows for one in REPORT.features}["role-given"] == sum(
        "role-given" in (one.labels.tags or ()) for one in CHATS
    )


def test_associations_rest_on_one_row_a_template_and_model() -> None:
    assert REPORT.observations == len({(one.labels.family, one.model) for one in CHATS})
    assert sum(cell.rows for cell in REPORT.cells) == REPORT.observations
    once = report_of(labelled([chat(at, "Write a poem about the sea, please", "No.") for at in range(300)]))
    assert (once.observations, once.rows, once.associations) == (1, 300, ())


def test_verbs_objects_and_templates_are_named_with_masked_examples() -> None:
    shown = {one.name for one in REPORT.structures("verb and object")}
    assert "write … story" in shown
    chats = labelled([chat(at, f"Write 3 odes to Anna{at} for x{at}@y.org", "So.") for at in range(9)])
    (template,) = report_of(chats).structures("template")
    assert (template.name, template.rows, template.distinct) == ("write <number> odes <name> <number> <mail>", 9, 9)


def test_what_fewer_than_five_prompts_share_is_not_shown() -> None:
    secret = [chat(at, f"Draft the merger memo number {at} of plum and quince", "Done.") for at in range(4)]
    others = [
        chat(10 + at, f"What is {word}?", "It is.")
        for at, word in enumerate(("tea", "ore", "jam", "fog", "ivy", "elm"))
    ]
    report = report_of(labelled([*secret, *others]))
    assert all(one.distinct >= 5 for one in report.common_structures)
    assert "merger" not in "".join(map(str, report.common_structures)) and "merger" not in report.to_markdown()


def test_examples_are_scrubbed() -> None:
    prompts = [
        f"Send {at} roses to jo{at}@example.org or call +49 30 1234{at}567 key sk1a2b3c4d5e6f7a8b9c0d1e2f3a{at}"
        for at in range(8)
    ]
    report = report_of(labelled([chat(at, prompt, "Yes.") for at, prompt in enumerate(prompts)]))
    text = "".join(one.example + one.name for one in report.common_structures)
    assert text and not any(private in text for private in ("example.org", "1234", "sk1a"))
    assert report.exemplars == ()


def test_exemplars_are_the_best_rated_and_word_for_word() -> None:
    rated = [
        chat(at, f"Tell a tale of {word} and its keeper", "Once.", labels=_labels(rating, family=at))
        for at, (word, rating) in enumerate([("a fox", 3.0), ("an owl", 4.6), ("a carp", 1.2), ("a lynx", 4.1)])
    ]
    found = report_of(rated)
    assert [one.prompt for one in found.exemplars] == [
        f"Tell a tale of {word} and its keeper" for word in ("an owl", "a lynx", "a fox")
    ]
    assert found.exemplars[0].evidence == "rated 4.6, basis user; these rows"
    flagged = [
        one.model_copy(update={"moderation_summary": ModerationSummary.of(1 << 11, [0.0] * 11)}) for one in rated
    ]
    assert report_of(flagged).exemplars == ()


def test_too_few_rows_say_how_many_are_needed_of_what() -> None:
    few = report_of(CHATS[:12])
    assert few.successful_patterns == few.failure_indicators == ()
    assert few.recommended_structure == ()
    assert any("more different prompts" in line or "are needed" in line for line in few.missing)
    assert few.untested and all(one.needed > 0 for one in few.untested)
    assert few.to_promptloop()["recommendedStructure"] == ""


def test_unlabelled_and_stale_rows_are_told_and_offered_labels() -> None:
    bare = report_of([chat(at, "Write a poem", "No.") for at in range(8)])
    assert (bare.labelled, bare.common_structures) == (0, ())
    assert any("8 of 8 rows have no labels: run lmsys-store relabel" in line for line in bare.caveats)
    old = report_of([chat(at, "Write a poem", "No.", labels=_labels(3.0, version="0")) for at in range(8)])
    assert any("8 rows have labels of another version: run lmsys-store relabel" in line for line in old.caveats)
    own = report_of([chat(at, "Write a poem", "No.", labels=_labels(3.0, version=f"{VERSION}+abc")) for at in range(8)])
    assert own.stale == 0


def test_one_model_one_domain_and_no_variation_are_caveats() -> None:
    report = report_of([chat(at, f"Say {at}", "So.", labels=_labels(4.5, family=at)) for at in range(60)])
    caveats = " ".join(report.caveats)
    assert "one model only (alpha-7b)" in caveats and "one domain only (legal)" in caveats
    assert "every chat that could be was rated 4 or more" in caveats and "no chat that could be was refused" in caveats
    assert report.associations == ()


def test_every_line_is_an_observation() -> None:
    lines = " ".join([*map(str, REPORT.associations), *map(str, REPORT.untested), *REPORT.caveats, *REPORT.missing])
    assert "observed, not caused" in lines
    assert not any(word in lines for word in ("because", "leads to", "improves", "makes the"))


def test_all_rows_lend_only_what_these_rows_could_not_test() -> None:
    wider = _planted_report()
    (strong,) = [
        one for one in wider.associations if one.found and one.features == ("polite",) and one.outcome == "rated-4"
    ]
    assert strong.holds_elsewhere and wider.recommended_structure
    small = report_of(random_chats(12, seed=5), "legal").backed_by(wider)
    lent = [one for one in small.associations if one.level == "all rows"]
    assert strong in lent and small.recommended_structure
    assert any("lines marked 'all rows' rest on all" in line for line in small.caveats)
    assert all("all rows" in str(slot) for slot in small.recommended_structure)
    contradicted = _planted_report(ratio=0.0, level="legal").backed_by(wider)
    assert contradicted.recommended_structure == ()


def _planted_report(ratio: float = 0.4, level: str = "all rows") -> PatternReport:
    """Polite prompts are rated well more often, in every one of four domains."""
    domains = ("legal", "finance", "science", "education")
    chats = [
        chat(
            at, "x" * 100, "So.", model=f"m{at % 3}",
            labels=_labels(
                4.5 if at % 10 < 1 + 10 * ratio * (at % 7 < 2) else 3.0, family=at, domain=domains[at // 3 % 4],
                tags=("polite",) if at % 7 < 2 else (),
            ),
        )
        for at in range(4000)
    ]  # fmt: skip
    return report_of(chats, level)


def _labels(
    rating: float, *, family: int = 1, domain: str = "legal", tags: tuple[str, ...] = (), version: str = VERSION
) -> Labels:
    return Labels(
        domain=domain, task="chitchat", rating=rating, rating_basis="none" if rating == 3 else "user", rating_confidence=0.5,
        tags=tags, signals=(), prompt_key=family, family=family, version=version,
    )  # fmt: skip


def test_findings_name_chats_for_and_against_them() -> None:
    wider = _planted_report()
    (found,) = [one for one in wider.successful_patterns if one.features == ("polite",)]
    assert len(found.shown_by) == len(found.countered_by) == 3
    rows = [int(one, 16) for one in (*found.shown_by, *found.countered_by)]
    assert all(row % 7 < 2 for row in rows)
    assert [row % 10 < 5 for row in rows] == [True] * 3 + [False] * 3


def test_two_reports_are_compared_within_what_they_share() -> None:
    alpha = report_of([one for one in CHATS if one.model == "alpha-7b"], "alpha-7b")
    beta = report_of([one for one in CHATS if one.model == "beta-13b"], "beta-13b")
    same = compare(alpha, alpha)
    assert all(one.odds_ratio == pytest.approx(1) and not one.found for one in same.outcomes) and same.shares == ()
    found = compare(alpha, beta)
    assert (found.one, found.other, found.rows) == ("alpha-7b", "beta-13b", alpha.rows)
    assert all(one.low < one.odds_ratio < one.high for one in found.outcomes)
    polite = _planted_report()
    plain = _planted_report(ratio=0.0, level="plain")
    (better,) = [one for one in compare(polite, plain).outcomes if one.outcome == "rated-4"]
    assert better.found and better.odds_ratio > 1
    nothing = compare(alpha, report_of([], "nothing"))
    assert nothing.outcomes == () and "no rows of nothing" in nothing.caveats[0]


def test_without_scipy_the_error_has_the_command(tmp_path: Path) -> None:
    program = (
        "import sys\nsys.modules['scipy'] = None\nsys.modules['scipy.stats'] = None\n"
        "from lmsys_store.analyze import Patterns\n"
        "from lmsys_store.errors import MissingExtraError\n"
        "try: Patterns().result()\nexcept MissingExtraError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    what, _, remedy = done.stdout.strip().rpartition("; ")
    assert what.endswith("needs scipy") and remedy == "install it with: pip install scipy"


def test_real_chats_give_a_report_worth_reading(real_chats: Path, tmp_path: Path) -> None:
    with Store(tmp_path / "real.db") as store:
        store.sync(real_chats / "chats.parquet")
        report = store.select(fallback="cache").fold(Patterns())
    assert report.rows == 3052
    assert len(report.structures("template")) >= 6 and len(report.structures("question kind")) >= 8
    assert any(one.features == ("short",) and one.outcome == "refusal" for one in report.failure_indicators)
