"""Full-text search: the one tokenizer for indexed text and search words alike, and the search syntax. Pure.

The index gets text already cut (SQLite's ``ascii`` tokenizer then only splits at spaces), and queries are built from quoted
tokens alone, so no user text is ever FTS5 syntax. The hazard: whatever changes how text is cut needs a re-index.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lmsys_store.errors import QueryError

# Letters and digits; each Han, Kana or Hangul character stands alone, because those scripts do not put spaces between words
# (or glue particles to them).
_SINGLE = (
    "\u2e80-\u2fd5\u3005-\u3007\u3021-\u3029\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff"
)
_TOKEN = re.compile(rf"(?=[^\W_])[{_SINGLE}]|[^\W_{_SINGLE}]+")
_ASCII = "".join(chr(code).lower() if chr(code).isalnum() else " " for code in range(128))
"""What ASCII characters become before a text is cut at spaces: four times as fast as the pattern, and equal to it."""
MESSAGE_BREAK = " \u241f "
"""Stands between two messages in the index: no token can equal it, so no phrase matches across it."""

_TERM = re.compile(r'(?P<minus>-)?(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))(?P<star>\*)?')


def tokens(text: str) -> list[str]:
    """The words of a text: NFKC, casefolded, letters and digits; every CJK character is a word.

    >>> tokens("Straße: ＡＢＣ_12, 東京")
    ['strasse', 'abc', '12', '東', '京']
    """
    if text.isascii():
        return text.translate(_ASCII).split()
    # Casefolding can undo a normal form, so both are applied twice; the third round never changes anything.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).casefold()
    return _TOKEN.findall(folded)


def index_text(messages: Iterable[str]) -> str:
    """What the full-text index is given for a list of messages."""
    # ASCII needs no cutting: SQLite's tokenizer splits and folds it exactly as `tokens` does (a property test holds that).
    return MESSAGE_BREAK.join(text if text.isascii() else " ".join(tokens(text)) for text in messages)


@dataclass(frozen=True)
class Term:
    """A run of tokens that must follow each other (one for a plain word), the last perhaps only a prefix."""

    words: tuple[str, ...]
    prefix: bool = False
    negated: bool = False

    def fts(self) -> str:
        """The term as FTS5 syntax, quoted."""
        return '"' + " ".join(self.words) + '"' + (" *" if self.prefix else "")

    def occurs_in(self, words: Sequence[str]) -> bool:
        """Whether the run occurs in a tokenised message."""
        length = len(self.words)
        return any(self._at(words, start) for start in range(len(words) - length + 1))

    def _at(self, words: Sequence[str], start: int) -> bool:
        end = start + len(self.words)
        if self.prefix:
            head = words[start : end - 1] == list(self.words[:-1])
            return head and words[end - 1].startswith(self.words[-1])
        return words[start:end] == list(self.words)


def parse(text: str) -> tuple[Term, ...]:
    """The terms of a search text: words, "phrases", -not, prefix*; all positive ones must occur, no negated one may.

    A word of several tokens (``don't``, ``C++11``, ``東京``) is searched as a phrase.

    Raises:
        QueryError: nothing to search for.

    >>> for term in parse('"red wine" sauc* -beef'): print(term.words, term.prefix, term.negated)
    ('red', 'wine') False False
    ('sauc',) True False
    ('beef',) False True
    """
    if not isinstance(text, str):
        raise QueryError(f"search needs a text, not {text!r}")
    found = []
    for match in _TERM.finditer(text):
        raw = match["phrase"] if match["phrase"] is not None else match["word"]
        prefix = bool(match["star"]) or (match["word"] or "").endswith("*")
        words = tuple(tokens(raw))
        if words:
            found.append(Term(words, prefix, bool(match["minus"])))
    if not found:
        raise QueryError(f'nothing to search for in {text!r}: give words, "phrases", prefix* or -not')
    return tuple(found)


def search_matches(terms: Iterable[Term], messages: Iterable[str]) -> bool:
    """Whether the messages answer the search; terms may occur in different messages, a phrase within one."""
    cut = [tokens(message) for message in messages]
    return all(any(term.occurs_in(words) for words in cut) is not term.negated for term in terms)
