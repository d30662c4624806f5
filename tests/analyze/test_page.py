"""The report page: whole in itself, safe with hostile chats, honest about being shared, and fit to look at in a real browser."""

import re
import struct
from html.parser import HTMLParser
from pathlib import Path

import pytest

from lmsys_store.analyze import PatternReport, Patterns, compare
from lmsys_store.analyze.charts import escaped
from lmsys_store.analyze.html import write_html
from lmsys_store.analyze.markdown import markdown
from lmsys_store.analyze.page import page
from lmsys_store.errors import ExportError
from lmsys_store.records import Conversation
from tests.analyze import browser
from tests.analyze.chats import chat, labelled, random_chats

HOSTILE = (
    '"><script>alert(1)</script><img src=x onerror=alert(2)> </style></svg> javascript:alert(3) '
    "\u202e&#60;b&#62; ${7*7} {{7*7}}"
)
EMPTY_TAGS = {"meta", "line", "rect"}


class _Reader(HTMLParser):
    """Tags that are opened and closed in turn, and all attributes."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes += attrs
        if tag not in EMPTY_TAGS:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        if tag not in EMPTY_TAGS:
            assert self.open.pop() == tag


def report_of(chats: list[Conversation], level: str = "these rows") -> PatternReport:
    patterns = Patterns(level)
    patterns.update(chats)
    return patterns.result()


def hostile_chats() -> list[Conversation]:
    """Hostile text in every field of a chat that a report shows."""
    words = ("moon", "fern", "coal", "silk", "reef", "plum", "dune", "moss")
    return labelled(
        [
            chat(
                at, f"Write a {HOSTILE} about {word} {at % 40}", "Sorry, I cannot help with that request.", "Thanks, perfect!",
                model=f"model {HOSTILE}", language=f"language {HOSTILE}",
            ).model_copy(update={"conversation_id": f"id {HOSTILE} {at}"})
            for at, word in enumerate(words * 30)
        ]
    )  # fmt: skip


def _assert_harmless(text: str) -> None:
    reader = _Reader()
    reader.feed(text)
    assert reader.open == []
    assert not reader.seen & {
        "script",
        "img",
        "iframe",
        "object",
        "embed",
        "link",
        "form",
        "a",
        "base",
        "audio",
        "video",
    }
    assert not any(name.startswith("on") or name in ("src", "href", "action") for name, _ in reader.attributes)
    assert "\u202e" not in text and "http://" not in text and "https://" not in text
    assert "url(" not in text and "@import" not in text


def test_a_page_of_ordinary_chats_is_well_formed_and_asks_for_nothing() -> None:
    _assert_harmless(page(report_of(random_chats(900, seed=3), "all rows")))


def test_hostile_text_in_every_field_stays_text() -> None:
    report = report_of(hostile_chats(), f"level {HOSTILE}")
    assert report.common_structures and report.exemplars and "<script>" in report.models[0].name
    _assert_harmless(page(report))
    _assert_harmless(page(report, compare(report, report.model_copy(update={"level": HOSTILE}))))
    _assert_harmless(page(report_of([], HOSTILE)))
    for text in (markdown(report), markdown(report, compare(report, report_of([], HOSTILE)))):
        assert not re.search(r"(?<!\\)<", text), "markup in Markdown is escaped"


def test_what_is_escaped_reads_as_it_was() -> None:
    assert escaped("a & b < c > \"d\" 'e'\n") == "a &amp; b &lt; c &gt; &quot;d&quot; &#x27;e&#x27;\n"
    assert escaped("\x00\u2066x") == "\\x00\\u2066x"


def test_the_page_says_whether_it_may_be_passed_on() -> None:
    chats = random_chats(900, seed=4)
    report = report_of(chats)
    assert "not to be passed on" in page(report)
    bare = page(report.without_examples())
    assert "may be passed on" in bare and "not to be passed on" not in bare
    written = _words(re.sub(r"<[^>]+>", " ", bare.split("</style>")[1]))
    text = " " + " ".join(written) + " "
    for one in chats:
        for message in one.messages:
            words = _words(message.content)
            assert not any(f" {' '.join(words[at : at + 8])} " in text for at in range(len(words) - 7))


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def test_a_page_is_written_whole_privately_and_never_over_another(tmp_path: Path) -> None:
    report = report_of(random_chats(50, seed=1))
    path = tmp_path / "report.html"
    report.write_html(path)
    assert path.read_text() == page(report) and path.stat().st_mode & 0o077 == 0
    with pytest.raises(ExportError, match="--force"):
        report.write_html(path)
    report.write_html(path, replace=True)
    with pytest.raises(ExportError, match="cannot be written"):
        write_html("x", tmp_path / "nowhere" / "report.html")
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]


needs_browser = pytest.mark.skipif(
    browser.PROGRAM is None, reason="no chromium is installed: make test-report installs it"
)


@needs_browser
@pytest.mark.anyio
@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("kind", ["ordinary", "hostile", "empty", "compared", "dark"])
async def test_the_page_renders_without_a_complaint_and_nothing_overflows(
    kind: str, width: int, tmp_path: Path
) -> None:
    report = report_of(random_chats(1500, seed=2), "all rows")
    if kind == "compared":
        text = page(
            report,
            compare(report, report_of(random_chats(700, seed=9), "other rows with a rather long name of theirs")),
        )
    else:
        text = page({"hostile": report_of(hostile_chats(), HOSTILE), "empty": report_of([])}.get(kind, report))
    path = tmp_path / "report.html"
    write_html(text, path)
    seen = await browser.look(path, width, dark=kind == "dark")
    assert seen.messages == []
    assert seen.requests == [path.as_uri()]
    assert (seen.scroll_width, seen.overflowing) == (width, [])
    assert seen.marks > 20 or kind in ("empty", "hostile")
    assert struct.unpack(">I", seen.picture[16:20])[0] == width and len(seen.picture) > 10_000
