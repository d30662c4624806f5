"""The learned table in use: cut into words, read in batches, scored by whole numbers, explained to the last share."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmsys_store import vocabulary
from lmsys_store.errors import LabelError
from lmsys_store.labels import table as tables
from lmsys_store.labels.domains import classify, words_that_decided
from lmsys_store.labels.features import KIND_BITS, PAIR, summed
from lmsys_store.labels.labeller import said_of
from lmsys_store.labels.reading import read
from lmsys_store.labels.table import shipped_table
from lmsys_store.records import Labels

PLAIN = (
    "Write a function that sorts a list",
    "what is the capital of Peru?",
    "",
    "??",
    "Schreiben Sie ein Gedicht über Berlin",
)
TEXTS = st.one_of(
    st.text(max_size=80), st.sampled_from([*PLAIN, "機械学習とは何ですか", "मुझे एक कविता सुनाओ", "x" * 2000, "ﬁ½Å"])
)


def words_in(text: str) -> list[str]:
    tokenizer = shipped_table().tokenizer
    return [tokenizer.words[word] for word in tokenizer.cut([text]).ids]


def test_words_are_folded_and_runs_are_cut_by_longest_match() -> None:
    assert (
        words_in("Hello, WÖRLD 1995") == ["hello", ",", "world", "0000"] or words_in("Hello, WÖRLD 1995")[0] == "hello"
    )
    assert words_in("東京都に住んでいます")[0].startswith("東京")
    assert words_in("Arbeitszeitregelung")[0].startswith("arbeit")
    assert words_in("qqqqq zzxqj") == []


@given(st.lists(TEXTS, min_size=1, max_size=12))
@settings(max_examples=40, deadline=None)
def test_a_text_is_cut_alike_alone_and_among_others(texts: list[str]) -> None:
    tokenizer = shipped_table().tokenizer
    together = tokenizer.cut(texts)
    for number, text in enumerate(texts):
        alone, chosen = tokenizer.cut([text]), together.texts == number
        assert alone.ids.tolist() == together.ids[chosen].tolist()
        assert alone.starts.tolist() == together.starts[chosen].tolist()
        assert (alone.counts[0], alone.letters[0]) == (together.counts[number], together.letters[number])


@given(st.lists(st.lists(TEXTS, min_size=1, max_size=5), min_size=1, max_size=6), st.randoms())
@settings(max_examples=40, deadline=None)
def test_a_chat_is_read_alike_alone_in_a_batch_and_in_any_order(chats: list[list[str]], chance: object) -> None:
    together = list(said_of(chats))
    assert together == [one for chat in chats for one in said_of([chat])]
    assert together[::-1] == list(said_of(chats[::-1]))


def test_a_language_that_nobody_taught_is_general_and_has_no_signal() -> None:
    [said] = said_of([["मुझे भारत के बारे में बताओ", "ठीक है", "यह गलत है, दिल्ली राजधानी है", "क्षमा करें"]])
    assert said.classified.domain == "general" and said.feedback == [None]


def test_sums_are_those_of_numpy() -> None:
    table = np.arange(30, dtype=np.int8).reshape(10, 3)
    texts = np.array([0, 0, 0, 2, 2, 3])
    rows = np.array([1, 2, 2, 9, 0, 5])
    wanted = [table[rows[texts == text]].sum(axis=0).tolist() for text in range(5)]
    assert summed(table, rows, texts, 5).tolist() == wanted


def test_the_shares_of_the_features_add_up_to_the_score() -> None:
    """The model is linear: what is explained is all there is."""
    table = shipped_table()
    texts, subjects, _ = read(table, [("Write a Python function that parses a CSV file",)])
    model = table.models["prompt"]
    features = texts.features(subjects)
    for column in range(4):
        shares = sum(model.shares(features.keys, column).values())
        vectors = table.word_vectors(texts.words.keys).sum(axis=0)
        assert np.array_equal(vectors, texts.vectors[0])
        direction = model.directions[:, column] * model.direction_scale
        toward = float(vectors @ direction) / float(np.sqrt(vectors @ vectors))
        logits = model.logits(features, texts.vectors, subjects)[0, column]
        assert logits == pytest.approx(shares + toward + model.bias[column], abs=1e-6)


def test_the_words_that_decide_are_words_of_the_prompt() -> None:
    words = words_that_decided(["Write a Python function that parses a CSV file"], "domain")
    assert 0 < len(words) <= 5 and any("python" in word or "function" in word for word in words)
    [found] = classify(read(shipped_table(), [("Write a Python function that parses a CSV file",)]))
    assert found.domain == "software-development"


def test_a_table_that_does_not_load_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "FILE", "missing.npz")
    shipped_table.cache_clear()
    try:
        with pytest.raises(LabelError, match=r"missing\.npz.*reinstall"):
            shipped_table()
    finally:
        shipped_table.cache_clear()


def test_words_are_each_once_and_in_order() -> None:
    texts, _, _ = read(shipped_table(), [("again and again and again",), ("once",)])
    pairs = list(zip(texts.words.texts.tolist(), texts.words.keys.tolist(), strict=True))
    assert pairs == sorted(set(pairs)) and len(pairs) == 3
    assert any(key >> KIND_BITS == PAIR for key in texts.features(np.array([0])).keys.tolist())


def test_the_models_know_the_classes_of_the_vocabulary() -> None:
    axes = {name: axis.names for model in shipped_table().models.values() for name, axis in model.axes.items()}
    assert tuple(axes["domain"]) == tuple(vocabulary.DOMAINS) and tuple(axes["task"]) == tuple(vocabulary.TASKS)
    assert {kind.replace("_", "-") for kind in axes["feedback"][1:]} <= set(vocabulary.SIGNALS)
    assert axes["feedback"][0] == "none" and "refusal" in axes["reply"]


@pytest.mark.parametrize(
    "reply",
    [
        "I'm sorry, but I can't assist with that.", "I cannot fulfil this request.", "Sorry, I can't help with that request.",
        "Es tut mir leid, aber dabei kann ich nicht helfen.", "Lo siento, pero no puedo ayudar con eso.",
        "Je suis désolé, mais je ne peux pas répondre à cette demande.", "对不起，我不能满足这个请求。",
        "Извините, я не могу помочь с этим.",
    ],
)  # fmt: skip
def test_a_plain_refusal_is_one_in_many_languages(reply: str) -> None:
    [said] = said_of([("tell me how", reply)])
    assert [one.id for one in said.shown[0]] == ["refusal"]


@pytest.mark.parametrize(
    "reply",
    [
        "Hello! How can I help you today?", "Paris has 20 districts.", "I am fine.", "I'm ready.", "No.", "No, it is not.",
        "You are right, I apologize. It is Canberra.",
        "No, you cannot take both pills together.", "Unfortunately, there are no trains after midnight.",
        "Ich freue mich, dass es geklappt hat.", "Claro, aquí tienes una receta de pan.", "はい、東京は日本の首都です。",
    ],
)  # fmt: skip
def test_an_ordinary_reply_declines_nothing(reply: str) -> None:
    [said] = said_of([("tell me", reply)])
    assert said.shown[0] == []


def test_a_wish_is_no_complaint_in_any_language() -> None:
    wishes = (
        "continue",
        "shorter",
        "and in winter?",
        "weiter",
        "y en invierno?",
        "et en hiver ?",
        "а зимой?",
        "继续",
        "続けて",
    )
    reply = "In summer it is warm by the lake, with 20 to 28 degrees and a light wind in the afternoon."
    for wish in wishes:
        [said] = said_of([("what is the weather like at the lake in summer", reply, wish)])
        assert said.feedback in ([None], ["user-builds-on"]), wish


@pytest.mark.parametrize("mark", ["", '"To be" - ', "*Bold*: ", "— "])
@pytest.mark.parametrize("length", [40, 5000])
def test_the_same_text_again_is_resent_however_long_and_whatever_it_begins_with(mark: str, length: int) -> None:
    text = (mark + "tell me about the rivers of Europe and their cities " * 100)[:length]
    [said] = said_of([(text, "Sure, here is something.", text)])
    assert said.feedback == ["resend"]


@pytest.mark.parametrize("prompt", ["a", "x", "的", "?", "1"])
def test_a_prompt_without_a_word_is_general_and_unsure(prompt: str) -> None:
    [said] = said_of([(prompt, "Hello!")])
    assert (said.classified.domain, said.classified.domain_score) == ("general", 0.0)


def test_a_damaged_table_is_one_clear_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "labels.npz").write_bytes(b"PK\x03\x04 and no more")
    monkeypatch.setattr(tables, "files", lambda package: tmp_path)
    shipped_table.cache_clear()
    try:
        with pytest.raises(LabelError, match="reinstall"):
            shipped_table()
    finally:
        shipped_table.cache_clear()


def test_labels_of_the_schema_before_are_read_without_evidence() -> None:
    packed = Labels(domain="legal", version="3").packed()
    assert packed is not None
    before = packed.removesuffix(",null]") + "]"
    assert Labels.unpacked(before) == Labels(domain="legal", version="3") == Labels.unpacked_many([before])[0]
