"""``/filter`` takes the viewer's narrow language and nothing else, and finds what it should. Over real sockets."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.standin import GeneratedRows, StandIn
from tests.standin.asking import GOOD, ask
from tests.standin.grammar import OutsideGrammarError, parse_order_by, parse_where
from tests.standin.rows import Row

pytestmark = pytest.mark.anyio
ROWS = list(GeneratedRows(200))
OUTSIDE = "contains errors or invalid symbols"

ACCEPTED = """
"turn">=2
"turn" <> 2
"turn"!=2
"turn" == 2
"model"='vicuna-13b'
"model"='it''s'
"model"=''
"language" IS NULL
"language" is not null
"model" LIKE 'gpt%'
"model" not like 'gpt%'
"model" ILIKE 'GPT%'
"model" GLOB 'gpt*'
"model" SIMILAR TO 'gpt.*'
"model" ~ 'gpt.*'
"redacted"=true
("turn"=1 OR "turn"=2) AND "redacted"=false
"conversation".len()>4
("model").lower()='x'
"conversation.length">4
"__hf_index_id">=100
"MODEL"='x'
"turn"='5'
"turn">1.5
"turn"=null
"data"."turn"=1
"conversation".to_json() LIKE '%text%'
"conversation".array_to_string(' ') LIKE '%text%'
"openai_moderation".to_json() LIKE '%"flagged":true%'
""".strip().splitlines()

REFUSED = """
"turn">-1
"turn">1e5
"turn">.5
"turn"="model"
"model"="x"
"turn" IN (1, 2)
"turn" BETWEEN 1 AND 2
"turn"::text='1'
"model" Like 'x'
"turn"=1 Or "turn"=2
"redacted"=TRUE
"redacted"
NOT "turn"=1
("turn"=1 OR ("turn"=2 AND "redacted"=true))
(("turn"=1))
"model".lower().len()=1
"model".f("a")=1
"conversation"[1]='x'
"model".LOWER()='x'
"turn"=1  AND "turn"=2
 "turn"=1
"turn"=1;
"model"='a;b'
"model"='a--b'
"model"='/*'
turn=1
1=1
""".strip("\n").splitlines()

INVALID = """
"nothing"=1
"turn"='x'
"model"=30
"model"=true
"redacted"='perhaps'
"turn" LIKE '1'
"model".no_such()=1
"turn".len()=1
"openai_moderation"."flagged"=true
"conversation"='x'
"turn"=1.2.3
"turn" = = 2
"turn" 2
("turn"=1
"turn" IS 2
"model" ~ '('
""".strip().splitlines()


@pytest.mark.parametrize("where", ACCEPTED)
async def test_accepted(where: str) -> None:
    async with StandIn(ROWS) as server:
        assert (await ask(server, "/filter", where=where, length=5)).status == 200


@pytest.mark.parametrize("where", REFUSED)
async def test_outside_the_grammar_comes_before_access(where: str) -> None:
    async with StandIn(ROWS) as server:
        reply = await ask(server, "/filter", {}, where=where)
    assert reply.error == (422, "InvalidParameter", f"Parameter 'where' {OUTSIDE}")


@pytest.mark.parametrize("where", INVALID)
async def test_inside_the_grammar_and_no_query_comes_after_access(where: str) -> None:
    async with StandIn(ROWS) as server:
        assert (await ask(server, "/filter", {}, where=where)).status == 401
        reply = await ask(server, "/filter", where=where)
    assert reply.error == (422, "InvalidParameter", "A query parameter is invalid")
    assert reply.headers["X-Revision"] == server.revision


@pytest.mark.parametrize(
    "order", ['"turn"', '"turn" DESC', '("turn") asc', '"conversation".len() desc', '"turn" ASC\n']
)
async def test_accepted_orders(order: str) -> None:
    async with StandIn(ROWS) as server:
        assert (await ask(server, "/filter", orderby=order, length=5)).status == 200


@pytest.mark.parametrize("order", ['"turn", "model"', '"turn" NULLS LAST', '"turn"  DESC', "turn", '"turn" Asc', "1"])
async def test_refused_orders(order: str) -> None:
    async with StandIn(ROWS) as server:
        reply = await ask(server, "/filter", orderby=order)
        unknown = await ask(server, "/filter", orderby='"nothing"')
    assert reply.error == (422, "InvalidParameter", f"Parameter 'orderby' {OUTSIDE}")
    assert unknown.error[2] == "A query parameter is invalid"


async def test_matches_come_in_the_order_of_the_split_page_by_page() -> None:
    wanted = [index for index, row in enumerate(ROWS) if row["turn"] == 1 and row["language"] != "English"]
    query = '"turn"=1 and "language"!=\'English\''
    async with StandIn(ROWS) as server:
        pages = [
            await ask(server, "/filter", where=query, offset=start, length=7) for start in range(0, len(wanted), 7)
        ]
        count = await ask(server, "/filter", where=query, length=0)
        past = await ask(server, "/filter", where=query, offset=len(wanted))
        everything = await ask(server, "/filter", where="", offset=10)
    assert [index for page in pages for index in page.row_indexes] == wanted
    assert [row["row"] for page in pages for row in page.json["rows"]] == [ROWS[index] for index in wanted]
    assert (count.json["num_rows_total"], count.row_indexes, past.row_indexes) == (len(wanted), [], [])
    assert everything.row_indexes == list(range(10, 110))
    assert [feature["name"] for feature in past.json["features"]] == list(ROWS[0])


async def test_orders_put_nulls_last_both_ways() -> None:
    rows = [{"turn": turn} for turn in (2, None, 3, 1)]
    async with StandIn(rows) as server:
        up, down = await ask(server, "/filter", orderby='"turn"'), await ask(server, "/filter", orderby='"turn" DESC')
    assert (up.row_indexes, down.row_indexes) == ([3, 0, 2, 1], [2, 0, 3, 1])


NULLS: list[Row] = [
    {"model": "a", "turn": 1},
    {"model": None, "turn": 2},
    {"model": "b", "turn": None},
    {"model": "A_%", "turn": 3},
]


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        ("\"model\"='a'", [0]),
        ("\"model\"!='a'", [2, 3]),
        ("\"model\" NOT LIKE 'a%'", [2, 3]),
        ("\"model\" LIKE '_'", [0, 2]),
        ("\"model\" ILIKE 'a%'", [0, 3]),
        ('"turn"=null', []),
        ('"turn" IS NULL', [2]),
        ('"turn"!=1 OR "model"=\'b\'', [1, 2, 3]),
        ('"model"=\'a\' OR "turn"=2 AND "model"=\'b\'', [0]),
        ('("model"=\'a\' OR "turn"=2) AND "turn"=2', [1]),
        ('"model".len()=3', [3]),
        ("\"model\".upper()='A'", [0]),
        ("\"model\".contains('_')=true", [3]),
        ('"__hf_index_id">=2', [2, 3]),
        ("\"turn\"='2'", [1]),
    ],
)
async def test_null_is_neither_true_nor_false(where: str, wanted: list[int]) -> None:
    async with StandIn(NULLS) as server:
        assert (await ask(server, "/filter", where=where)).row_indexes == wanted


async def test_nested_columns_are_reached_by_functions() -> None:
    flagged = [index for index, row in enumerate(ROWS) if any(item["flagged"] for item in row["openai_moderation"])]
    long = [index for index, row in enumerate(ROWS) if len(row["conversation"]) > 4]
    async with StandIn(ROWS) as server:
        found = await ask(server, "/filter", where='"openai_moderation".to_json() LIKE \'%"flagged":true%\'')
        by_length = await ask(server, "/filter", where='"conversation.length">4')
        by_function = await ask(server, "/filter", where='"conversation".len()>4')
    assert found.row_indexes == flagged[:100]
    assert by_length.row_indexes == by_function.row_indexes == long[:100]


async def test_a_cookie_is_set_whatever_the_answer() -> None:
    async with StandIn(ROWS) as server:
        assert "Set-Cookie" in (await ask(server, "/filter", where="x")).headers
        assert "Set-Cookie" not in (await ask(server, "/rows", GOOD)).headers


def test_keys_may_hold_quotes_and_values_what_looks_like_the_language() -> None:
    assert "keys=('a\"b',)" in str(parse_where('"a""b"=1'))
    assert "value='x OR 1'" in str(parse_where("\"a\"='x OR 1'"))
    assert parse_order_by('"a.b" DESC').descending


@given(st.text(alphabet="\"'()1.=<a, \n", max_size=60))
def test_any_text_is_decided_and_fast(text: str) -> None:
    """A pattern that backtracks without end would hang the server on a text it refuses."""
    started = time.monotonic()
    for guess in (text, '"a".f(' + "1" * 5000 + text, '"a"' + "= " * 500 + text):
        try:
            parse_where(guess)
        except ValueError as error:
            assert isinstance(error, OutsideGrammarError) or error.args
    assert time.monotonic() - started < 2
