"""Two keys of a first prompt: the same for equal prompts, and the same for prompts of one template. Stable everywhere, for good.

The hazard: splits and samples go by ``family``, so whatever changes how it is cut moves rows between train and test.
"""

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from lmsys_store.search import tokens

_READ: Final = 400
_KEPT: Final = 16
_MOST_CAPITALS: Final = 0.4
"""From this share on capitals are a habit (German nouns, a title), not names."""
_SENTENCE_END: Final = re.compile(r"[.!?](?=\s|$)|[。！？।؟\n]|:(?=\s)")
_SENTENCE_MARKS: Final = ".!?。！？।؟\n:"
_MASKS: Final = (
    (("http", "www"), re.compile(r"https?://\S+|www\.\S+"), " urlmask "),
    (("@",), re.compile(r"\S+@\S+\.\w+"), " mailmask "),
    (
        ('"', "“", "«", "`", "'"),
        re.compile(r"\"[^\"]{1,200}\"|“[^”]{1,200}”|«[^»]{1,200}»|`[^`]{1,200}`|(?<!\w)'[^']{1,200}'(?!\w)"),
        " textmask ",
    ),
    (("NAME_",), re.compile(r"NAME_\d+"), " namemask "),
    (("",), re.compile(r"\d+(?:[.,:]\d+)*"), " numbermask "),
)
"""What differs from use to use, and what takes its place; looked for where one of the first strings occurs."""
_SMALL: Final = frozenset("there everyone all bot assistant chatgpt gpt claude vicuna ai good day morning dear".split())
"""Words of a greeting with which a sentence may also begin: they are one only after another greeting."""
_GREETINGS: Final = _SMALL | frozenset(
    (
        "hi hello hey hiya howdy greetings yo afternoon evening hola buenos dias buenas tardes ola olá bom dia boa tarde "
        "hallo guten tag morgen moin bonjour salut bonsoir привет здравствуйте здравствуй добрый день ciao buongiorno namaste"
    ).split()
)
_OPENING_WORD: Final = re.compile(r"([^\W\d_]+)[,.!:;\s]*")
_CHINESE_GREETING: Final = re.compile(r"^\s*(?:你好|您好|嗨|早上好)[,，!！。\s]*")
_POLITE: Final = frozenset(
    (
        "please kindly pls plz just could would can you me i want need like to for thanks por favor bitte svp "
        "silvousplaît пожалуйста"
    ).split()
)


def prompt_key(prompt: str) -> int:
    """The same for prompts that differ only in case, spacing, punctuation and compatible characters.

    >>> prompt_key("What is  love?") == prompt_key("what is love")
    True
    """
    words = tokens(prompt)
    return _hashed(" ".join(words) if words else " ".join(prompt.split()))


def plain_words(prompt: str) -> list[str]:
    """The words of a prompt without greeting and politeness; all of them where it has no others.

    >>> plain_words("Hello! Could you please sort this list?")
    ['sort', 'this', 'list']
    """
    words = tokens(prompt)
    return [word for word in tokens(_without_greeting(prompt)) if word not in _POLITE] or words


def family_keys(prompts: Sequence[str]) -> list[int]:
    """For each prompt the same as for others of its template: the hash of :func:`family_text`, its low bits the family's place.

    Splits go by the place, so that prompts that differ in a letter, and are therefore of two families, are mostly of one split.
    """
    from lmsys_store.labels.places import PLACES, places_of  # loads numpy: who asks for a prompt's own key needs none

    texts = [family_text(prompt) for prompt in prompts]
    return [_hashed(text) // PLACES * PLACES + place for text, place in zip(texts, places_of(texts), strict=True)]


def family_key(prompt: str) -> int:
    """The key of one prompt's family."""
    return family_keys([prompt])[0]


def family_text(prompt: str) -> str:
    """The first sentence without greeting, politeness and what differs from use to use: numbers, quotations, addresses, names.

    >>> family_text("Hi there! Could you please write 3 poems about Berlin in 200 words?")
    'write numbermask poems about namemask in numbermask words'
    """
    start = prompt[:_READ]
    text = _without_greeting(start if start.isascii() else unicodedata.normalize("NFKC", start))
    for marks, pattern, mask in _MASKS:
        if any(map(text.__contains__, marks)):
            text = pattern.sub(mask, text)
    sentence = _first_sentence(text)
    words = sentence.split()
    later = sentence.split(None, 1)[1] if len(words) > 1 else ""
    # Most prompts have no capital after their first word: nothing to be masked.
    if later != later.lower() and sum([word[0].isupper() for word in words[1:]]) <= _MOST_CAPITALS * len(words):
        first = next((at for at, word in enumerate(words) if word.casefold() not in _POLITE), 0)
        words = [word if at <= first or word.islower() else _masked(word) for at, word in enumerate(words)]
    found = [word for word in tokens(" ".join(words)) if word not in _POLITE][:_KEPT]
    joined = " ".join(found)
    while "namemask namemask" in joined:
        joined = joined.replace("namemask namemask", "namemask")
    return joined or " ".join(tokens(prompt[:_READ])) or " ".join(prompt[:_READ].split())


def _without_greeting(text: str) -> str:
    """The text after a greeting; all of it where it is nothing else."""
    if not text.isascii():
        text = _CHINESE_GREETING.sub("", text, count=1) or text
    rest, greeted = text.lstrip(" \n\t,.!"), False
    while match := _OPENING_WORD.match(rest):
        word = match[1].casefold()
        opens = word in _GREETINGS and (greeted or word not in _SMALL or _is_time_of_day(rest))
        if not opens:
            break
        greeted, rest = True, rest[match.end() :]
    return rest if rest.strip() else text


def _is_time_of_day(text: str) -> bool:
    return re.match(r"(?i)good (?:morning|afternoon|evening|day)\b", text) is not None


def _first_sentence(text: str) -> str:
    """The first sentence that has two words, or what there is; a line ends one only if it has two words itself."""
    if not any(map(text.__contains__, _SENTENCE_MARKS)):
        return text
    for end in _SENTENCE_END.finditer(text):
        sentence = text[: end.start()]
        line = sentence.rpartition("\n")[2] if end[0] == "\n" else sentence
        if len(line.split()) > 1 or len(tokens(line)) > 3:
            return sentence
    return text


def _masked(word: str) -> str:
    """A word inside a sentence that begins with a capital is taken for a name: templates are filled with them."""
    bare = word.strip("\"'()[],;")
    return "namemask" if len(bare) > 1 and bare[0].isupper() and "mask" not in bare else word


def _hashed(text: str) -> int:
    return int.from_bytes(
        hashlib.blake2b(text.encode("utf8", "surrogatepass"), digest_size=8).digest(), "big", signed=True
    )
