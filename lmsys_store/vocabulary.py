"""The words a query may use: label ids, the consumer's names for them, languages by name or code, renamed models.

Pure; imports errors only. Closed vocabularies (domain, task, tag, moderation category) refuse an unknown word with the
nearest known ones; open ones (model, language) pass it on.
"""

import difflib
from collections.abc import Iterable
from typing import Final

from lmsys_store.errors import QueryError

DOMAINS: Final = (
    "software-development", "data-analysis", "mathematics", "science", "healthcare", "legal", "finance", "business",
    "customer-service", "education", "humanities", "content-creation", "language", "entertainment", "ai-assistants",
    "lifestyle", "unsafe", "general",
)  # fmt: skip
TASKS: Final = (
    "code-writing", "debugging", "explanation", "question-answering", "summarization", "rewriting", "translation",
    "extraction-classification", "reasoning", "math-solving", "advice-planning", "brainstorming", "roleplay",
    "text-generation", "chitchat",
)  # fmt: skip
TAGS: Final = (
    "marketing", "machine-learning", "multi-turn", "role-given", "output-format", "schema-given", "examples-given",
    "step-by-step", "constraints", "context-pasted", "code-pasted", "multi-part", "audience-named", "greeting",
    "language-named", "length-named", "placeholder", "polite", "tone-named",
)  # fmt: skip

BASES: Final = ("none", "user", "reply", "mixed", "external")
"""What a rating rests on."""
SIGNALS: Final = (
    "empty-or-canned", "repetition-loop", "refusal", "partial-refusal", "capability-disclaimer", "truncated", "user-correction",
    "user-rejection", "rephrase", "resend", "clarification", "praise", "user-builds-on", "assistant-apology",
)  # fmt: skip
"""What may be found in the messages of a conversation."""

SAME_DOMAIN: Final = {"coding": "software-development", "creative-writing": "content-creation"}
"""Other names of one domain. Names that stand for more than one are expanded in query.py."""

RENAMED_MODELS: Final = {
    "bard": "palm-2",
    "claude-v1": "claude-1",
    "claude-instant-v1": "claude-instant-1",
    "oasst-sft-1-pythia-12b": "oasst-pythia-12b",
}
"""Names that models had before the data set's release, by the data set's own release scripts."""

# ISO 639-1 codes with the English names the data set's language detector (CLD2 through Polyglot) uses.
_LANGUAGES = """
aa Afar|ab Abkhazian|af Afrikaans|ak Akan|am Amharic|ar Arabic|as Assamese|ay Aymara|az Azerbaijani|ba Bashkir|be Belarusian
bg Bulgarian|bh Bihari|bi Bislama|bn Bengali|bo Tibetan|br Breton|bs Bosnian|ca Catalan|co Corsican|cs Czech|cy Welsh|da Danish
de German|dv Dhivehi|dz Dzongkha|el Greek|en English|eo Esperanto|es Spanish|et Estonian|eu Basque|fa Persian|fi Finnish|fj Fijian
fo Faroese|fr French|fy Frisian|ga Irish|gd Scottish Gaelic|gl Galician|gn Guarani|gu Gujarati|gv Manx|ha Hausa|he Hebrew|hi Hindi
hr Croatian|ht Haitian Creole|hu Hungarian|hy Armenian|ia Interlingua|id Indonesian|ie Interlingue|ig Igbo|ik Inupiak|is Icelandic
it Italian|iu Inuktitut|ja Japanese|jv Javanese|ka Georgian|kk Kazakh|kl Greenlandic|km Khmer|kn Kannada|ko Korean|ks Kashmiri
ku Kurdish|ky Kyrgyz|la Latin|lb Luxembourgish|lg Ganda|ln Lingala|lo Lao|lt Lithuanian|lv Latvian|mg Malagasy|mi Maori
mk Macedonian|ml Malayalam|mn Mongolian|mr Marathi|ms Malay|mt Maltese|my Burmese|na Nauru|ne Nepali|nl Dutch|no Norwegian
nn Norwegian Nynorsk|ny Nyanja|oc Occitan|om Oromo|or Oriya|pa Punjabi|pl Polish|ps Pashto|pt Portuguese|qu Quechua|rm Romansh
rn Rundi|ro Romanian|ru Russian|rw Kinyarwanda|sa Sanskrit|sd Sindhi|sg Sango|si Sinhalese|sk Slovak|sl Slovenian|sm Samoan
sn Shona|so Somali|sq Albanian|sr Serbian|ss Siswant|st Sesotho|su Sundanese|sv Swedish|sw Swahili|ta Tamil|te Telugu|tg Tajik
th Thai|ti Tigrinya|tk Turkmen|tl Tagalog|tn Tswana|to Tonga|tr Turkish|ts Tsonga|tt Tatar|ug Uighur|uk Ukrainian|ur Urdu
uz Uzbek|vi Vietnamese|vo Volapük|wo Wolof|xh Xhosa|yi Yiddish|yo Yoruba|za Zhuang|zh Chinese|zu Zulu
"""
LANGUAGES: Final[dict[str, str]] = dict(
    entry.split(" ", 1) for line in _LANGUAGES.split("\n") for entry in line.split("|") if entry
)
"""ISO 639-1 code to the data set's language name."""

_CODES = LANGUAGES | {"iw": "Hebrew", "in": "Indonesian", "ji": "Yiddish", "nb": "Norwegian", "jw": "Javanese"}
_NAMES = {name.casefold(): name for name in LANGUAGES.values()} | {"unknown": "unknown"}


def language_name(value: str) -> str:
    """The data set's name of a language given as a name, an ISO code or a BCP-47 tag, in any case.

    An unknown word comes back as it is.

    >>> language_name("en"), language_name("pt-BR"), language_name("ENGLISH"), language_name("Klingon")
    ('English', 'Portuguese', 'English', 'Klingon')
    """
    folded = value.strip().casefold()
    return _NAMES.get(folded) or _CODES.get(folded.replace("_", "-").split("-")[0]) or value


def model_name(value: str) -> str:
    """The data set's name of a model that was renamed before release; any other name as it is."""
    return RENAMED_MODELS.get(value, value)


def spelled(word: str) -> str:
    """A word of a closed vocabulary as its ids are spelt: lower case, ``-`` for ``_``."""
    return word.strip().casefold().replace("_", "-")


def domain_word(name: str, *, also: Iterable[str] = ()) -> str:
    """The id of a domain given by it, or by its other name; ``also`` are further names to suggest.

    Raises:
        QueryError: with the nearest known words.
    """
    return known_word("domain", SAME_DOMAIN.get(spelled(name), name), DOMAINS, also=(*SAME_DOMAIN, *also))


def known_word(kind: str, value: str, known: Iterable[str], *, also: Iterable[str] = ()) -> str:
    """The id of ``value`` in a closed vocabulary, in any case, with ``_`` for ``-``; ``also`` are other names to suggest.

    Raises:
        QueryError: with the nearest known words.
    """
    known = tuple(known)
    word = spelled(value)
    if word in known:
        return word
    near = difflib.get_close_matches(word, [*known, *also], n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    raise QueryError(f"unknown {kind} {value!r}; {hint}known: {', '.join(known)}")
