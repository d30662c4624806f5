"""The one tokenizer, the search syntax, and that SQLite's full-text index finds exactly what the in-memory search says."""

import sqlite3
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lmsys_store.errors import QueryError
from lmsys_store.search import MESSAGE_BREAK, Term, index_text, parse, search_matches, tokens
from lmsys_store.storage.tables import FTS_DDL

# -------------------------------------------------------------------------------------------------------- tokens


@pytest.mark.parametrize(
    "text, words",
    [
        ("", []),
        (" \t\r\n\x00-_.,;", []),
        ("Red wine", ["red", "wine"]),
        ("snake_case C++11 don't", ["snake", "case", "c", "11", "don", "t"]),
        ("a\x00b", ["a", "b"]),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("ＡＢＣ１２ ﬁne", ["abc12", "fine"]),
        ("ΣΊΣΥΦΟΣ σίσυφος", ["σίσυφοσ", "σίσυφοσ"]),
        ("Привет, МИР", ["привет", "мир"]),
        ("cafe\u0301 café", ["café", "café"]),
        ("東京タワー", ["東", "京", "タ", "ワ", "ー"]),
        ("서울 go한국", ["서", "울", "go", "한", "국"]),
        ("gpt4を使う", ["gpt4", "を", "使", "う"]),
        ("𠀀x", ["𠀀", "x"]),
        ("a😀b", ["a", "b"]),
        ("½ x² ①", ["1", "2", "x2", "1"]),
        ("مرحبا بالعالم", ["مرحبا", "بالعالم"]),
    ],
)
def test_text_is_cut_into_words(text: str, words: list[str]) -> None:
    assert tokens(text) == words


def _stable(text: str) -> bool:
    once = tokens(text)
    return tokens(" ".join(once)) == once


def test_cutting_any_single_character_twice_changes_nothing() -> None:
    unstable = [hex(code) for code in range(sys.maxunicode + 1) if not _stable(chr(code))]
    assert unstable == []


# What a normal form or casefolding touches: most of unicode is left alone by both, and would fill the examples.
_RESTLESS = [
    char
    for char in map(chr, range(0x30000))
    if unicodedata.normalize("NFKD", char) != char or char.casefold() != char or unicodedata.combining(char)
]
_restless = st.text(st.sampled_from(_RESTLESS) | st.sampled_from("aijst 각가ιώΐ"))


@settings(max_examples=300)
@given(st.text() | _restless)
@example("ι\u0308\u0301")
@example("가\u11a8")
@example("ᾼ\u0345")
def test_cutting_twice_changes_nothing(text: str) -> None:
    """What was indexed cut and what is searched cut must meet."""
    assert _stable(text)


@given(st.text())
def test_normal_forms_and_case_do_not_matter(text: str) -> None:
    expected = tokens(text)
    assert tokens(unicodedata.normalize("NFC", text)) == expected
    assert tokens(unicodedata.normalize("NFD", text)) == expected
    assert tokens(text.casefold()) == expected


@given(st.text(st.characters(max_codepoint=127)))
def test_the_quick_way_for_ascii_is_the_same_way(text: str) -> None:
    with_a_stranger = tokens(text + " é")
    assert with_a_stranger == [*tokens(text), "é"]


# -------------------------------------------------------------------------------------------------------- syntax


@pytest.mark.parametrize(
    "text, terms",
    [
        ("red wine", [Term(("red",)), Term(("wine",))]),
        ('"red wine"', [Term(("red", "wine"))]),
        ('"red wine', [Term(("red", "wine"))]),
        ("-beef red", [Term(("beef",), negated=True), Term(("red",))]),
        ('-"red wine"', [Term(("red", "wine"), negated=True)]),
        ("sauc*", [Term(("sauc",), prefix=True)]),
        ('"red win"*', [Term(("red", "win"), prefix=True)]),
        ("-sauc*", [Term(("sauc",), prefix=True, negated=True)]),
        ("don't", [Term(("don", "t"))]),
        ("東京*", [Term(("東", "京"), prefix=True)]),
        ("well-known", [Term(("well", "known"))]),
        ('one"two three"four', [Term(("one",)), Term(("two", "three")), Term(("four",))]),
        ("- * -- red ... ", [Term(("red",))]),
        ("AND or NOT near", [Term(("and",)), Term(("or",)), Term(("not",)), Term(("near",))]),
        ("prompts:x {y} ^z", [Term(("prompts", "x")), Term(("y",)), Term(("z",))]),
    ],
)
def test_search_text_is_read_as_terms(text: str, terms: list[Term]) -> None:
    assert list(parse(text)) == terms


@pytest.mark.parametrize("text", ["", "   ", '""', "-", "*", "...", "😀", "\x00"])
def test_a_search_for_nothing_is_refused(text: str) -> None:
    with pytest.raises(QueryError, match="nothing to search for"):
        parse(text)


def test_terms_may_occur_in_different_messages_but_a_phrase_may_not() -> None:
    messages = ["red sauce", "wine"]
    assert search_matches(parse("red wine"), messages)
    assert not search_matches(parse('"sauce wine"'), messages)
    assert not search_matches(parse("red -wine"), messages)
    assert search_matches(parse("-beef"), messages)
    assert search_matches(parse('"red sa"*'), messages)
    assert not search_matches(parse('"re sauce"*'), messages)


# ----------------------------------------------------------------------------------------------- against SQLite


@pytest.fixture(scope="module")
def index() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(FTS_DDL)
        yield connection


def found(connection: sqlite3.Connection, chats: Sequence[Sequence[str]], terms: Sequence[Term]) -> set[int]:
    """The chats that the index finds: those with every wanted term, less those with an unwanted one."""
    connection.executemany(
        "INSERT INTO conversation_fts(rowid, prompts, replies) VALUES (?, ?, '')",
        [(number, index_text(messages)) for number, messages in enumerate(chats)],
    )

    def matching(expression: str) -> set[int]:
        select = "SELECT rowid FROM conversation_fts WHERE conversation_fts MATCH ?"
        return {rowid for (rowid,) in connection.execute(select, (f"{{prompts}} : ({expression})",))}

    try:
        wanted = [term.fts() for term in terms if not term.negated]
        unwanted = [term.fts() for term in terms if term.negated]
        rows = matching(" AND ".join(wanted)) if wanted else set(range(len(chats)))
        return rows - matching(" OR ".join(unwanted)) if unwanted else rows
    finally:
        connection.rollback()


WORDS = [
    "red", "Red", "reD", "redder", "wine", "WINE", "don't", "straße", "STRASSE", "é", "e\u0301", "東京", "東", "タワー", "서울",
    "gpt4", "4", "Привет", "ＡＢ", "ab", "ﬁ", "fi", "½", "a\u241fb", "مرحبا", "😀", "and", "OR", "İ", "ͅ", "\u00aa", "_", "\x00",
]  # fmt: skip
JOINTS = [" ", " ", " ", "\x00", "-", "_", ",", "", '"', "*", "\n", "'", "\u3000", "\u200d"]
_pieces = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(JOINTS)), max_size=6)
_messages = st.lists(
    _pieces.map(lambda pieces: "".join(word + joint for word, joint in pieces)), min_size=1, max_size=4
)
_marked = st.tuples(st.sampled_from(["", "", "-"]), st.sampled_from(["{}", "{}", '"{}"', '"{} {}"', "{}{}"]),
                    st.sampled_from(WORDS), st.sampled_from(WORDS), st.sampled_from(["", "", "*"]))  # fmt: skip
_searches = st.lists(
    _marked.map(lambda part: part[0] + part[1].format(part[2], part[3]) + part[4]), min_size=1, max_size=3
).map(" ".join)


@settings(max_examples=400)
@given(st.lists(_messages, min_size=1, max_size=5), _searches)
@example([["a b", "c"], ["a b c"]], '"b c"')
@example([["é", "b"], ["é b"]], '"é b"')
@example([["a\x00b"]], '"a b"')
@example([[MESSAGE_BREAK], ["x" + MESSAGE_BREAK + "y"]], '"x y"')
def test_the_index_finds_what_the_search_means(index: sqlite3.Connection, chats: list[list[str]], search: str) -> None:
    try:
        terms = parse(search)
    except QueryError:
        return
    expected = {number for number, messages in enumerate(chats) if search_matches(terms, messages)}
    assert found(index, chats, terms) == expected


@settings(max_examples=150)
@given(st.lists(st.lists(st.text(max_size=12), min_size=1, max_size=3), min_size=1, max_size=4), st.data())
def test_the_index_finds_any_text_by_a_piece_of_itself(
    index: sqlite3.Connection, chats: list[list[str]], data: st.DataObject
) -> None:
    search = data.draw(st.sampled_from([message for messages in chats for message in messages]))
    try:
        terms = parse(f'"{search}"' if data.draw(st.booleans()) else search)
    except QueryError:
        return
    expected = {number for number, messages in enumerate(chats) if search_matches(terms, messages)}
    assert found(index, chats, terms) == expected


@given(st.text(max_size=20))
def test_no_search_text_is_index_syntax(index: sqlite3.Connection, search: str) -> None:
    """Whatever is typed, the index gets quoted words and nothing else."""
    try:
        terms = parse(search)
    except QueryError:
        return
    assert found(index, [["x"]], terms) <= {0}
    assert all(term.fts().count('"') == 2 for term in terms)
