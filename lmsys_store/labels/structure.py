"""How a prompt is built: tags of its parts, the kind of its question, and the verb and object of an instruction.

The hazard: pasted text. What a prompt quotes is not what it asks, so only its beginning and its end are read for the question.
"""

import re
from typing import Final

from lmsys_store.labels.pattern_data import opening, patterns
from lmsys_store.search import tokens

_HEAD: Final = 1500
_TAIL: Final = 400
_PASTED: Final = 700
"""A prompt of so many characters after its first line has text to work on."""

STRUCTURE_TAGS: Final = (
    "audience-named", "code-pasted", "constraints", "context-pasted", "examples-given", "greeting", "language-named",
    "length-named", "multi-part", "output-format", "placeholder", "polite", "role-given", "schema-given", "step-by-step",
    "tone-named",
)  # fmt: skip
"""Every tag of :func:`structure_tags`."""

QUESTION_KINDS: Final = (
    "what", "who", "when", "where", "which", "why", "how", "how-many", "yes-no", "definition", "comparison", "instruction",
    "statement", "fill-in",
)  # fmt: skip
"""What the head of a prompt is: a question by its word, ``definition`` ("what is osmosis"), ``comparison`` ("X vs Y"), an
``instruction``, a ``fill-in`` (a choice, a blank), or a ``statement`` that asks for nothing."""


def prompt_tags(prompt: str) -> list[str]:
    """What a prompt has: tags of STRUCTURE_TAGS, and its subjects ``marketing`` and ``machine-learning``."""
    found = patterns("tags").ids(prompt if len(prompt) <= _HEAD + _TAIL else f"{prompt[:_HEAD]}\n{prompt[-_TAIL:]}")
    if len(prompt) > _PASTED and "context-pasted" not in found and "code-pasted" not in found:
        first, _, rest = prompt.partition("\n")
        if len(rest) > _PASTED > len(first):
            found.append("context-pasted")
    return found


def structure_tags(prompt: str) -> tuple[str, ...]:
    """What a prompt has: tags of STRUCTURE_TAGS, sorted."""
    return tuple(sorted(_STRUCTURE.intersection(prompt_tags(prompt))))


_STRUCTURE: Final = frozenset(STRUCTURE_TAGS)
_LATER_ORDER: Final = ("comparison", "how-many", "when", "who", "where", "which", "why", "how", "what")
_ORDER: Final = (
    "comparison", "how-many", "definition", "when", "why", "how", "which", "who", "where", "what", "instruction", "yes-no",
)  # fmt: skip
_SENTENCES: Final = re.compile(r"[^.!?。！？\n]+[.!?。！？]*")
_TOLD: Final = 3
_SENTENCE: Final = 300


def question_kind(prompt: str) -> str:
    """Which of QUESTION_KINDS a prompt is: by its head, or by its last sentence where the head asks for nothing.

    >>> question_kind("Hello, could you write a poem?"), question_kind("is it safe to eat raw eggs"), question_kind("cats vs dog")
    ('instruction', 'yes-no', 'comparison')
    """
    text = prompt[:_HEAD].strip()
    head = opening("greeting").sub("", text, count=1) or text
    if patterns("whole").ids(head):
        return "fill-in"
    sentences = [one.strip() for one in _SENTENCES.findall(head[:_PASTED])] or [head]
    first = _asked(sentences[0])
    if first is not None:
        return first
    last = [one.strip() for one in _SENTENCES.findall(prompt[-_TAIL:])][-_TOLD:]
    for sentence in dict.fromkeys(
        (*sentences[1:_TOLD], *reversed(last if len(sentences) > 1 or len(head) > _PASTED else ()))
    ):
        kind = _asked(sentence)
        if kind is not None and (kind != "yes-no" or sentence.endswith(("?", "？"))):
            return kind
    return "yes-no" if head.rstrip().endswith(("?", "？")) else "statement"


def _asked(sentence: str) -> str | None:
    """What one sentence asks; None where it asks for nothing."""
    bare = opening("asked-for").sub("", opening("led-up").sub("", sentence[:_SENTENCE], count=1), count=1)
    found = patterns("first-words").ids(bare)
    if found:
        return next(kind for kind in _ORDER if kind in found)
    later = patterns("later-words").ids(bare)
    return next((kind for kind in _LATER_ORDER if kind in later), None)


_VERBS: Final = frozenset(
    (
        "write make give tell explain create show list translate summarize summarise generate rewrite provide draft "
        "find suggest recommend describe design fix convert solve calculate compute analyze analyse review check "
        "continue compose build teach name add change correct improve answer implement plan extract classify "
        "identify prove derive evaluate outline discuss rank sort paraphrase edit proofread simplify shorten "
        "complete develop prepare produce propose construct determine estimate predict choose select brainstorm "
        "craft invent optimize refactor debug format transform introduce compare draw count"
    ).split()
)
_SKIPPED: Final = frozenset(
    (
        "please kindly can could would you me us i want need to a an the some my your this that these those short "
        "long brief small simple good new nice detailed complete full quick few several many more another one two "
        "three four five ten very really just also now then funny interesting creative professional formal following "
        "all possible best great of numbered for"
    ).split()
)
_STOPS: Final = frozenset(
    "about in on with from by as at using that which who where how what why if and or into between".split()
)
_OBJECT_WITHIN: Final = 6


def verb_and_object(prompt: str) -> tuple[str, str] | None:
    """The verb of an instruction and the noun it is about, lower case; None where they are not plain to see.

    >>> verb_and_object("Please write a short poem about cats")
    ('write', 'poem')
    """
    words = tokens(opening("greeting").sub("", prompt[:200].strip(), count=1))
    while words and words[0] in _SKIPPED:
        words.pop(0)
    if not words or words[0] not in _VERBS:
        return None
    found = None
    for word in words[1 : 1 + _OBJECT_WITHIN]:
        if word in _STOPS:
            break
        if found is not None and word in _SKIPPED:
            break
        if word not in _SKIPPED and not word.isdigit():
            found = word
    return None if found is None else (words[0], found)
