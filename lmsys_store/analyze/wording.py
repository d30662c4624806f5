"""The words of the analysis: what features and outcomes are called in a sentence. Observations, never causes."""

from typing import Final

FEATURE_WORDS: Final = {
    "audience-named": "says who it is for",
    "code-pasted": "pastes code",
    "constraints": "states limits or conditions",
    "context-pasted": "brings the text to work on",
    "examples-given": "gives an example",
    "greeting": "opens with a greeting",
    "language-named": "names the language",
    "length-named": "says how long the answer should be",
    "multi-part": "asks for several things",
    "output-format": "names the output format",
    "placeholder": "leaves blanks to fill in",
    "polite": "asks politely",
    "role-given": "gives the model a role",
    "schema-given": "lists the fields or sections it wants",
    "step-by-step": "asks for the steps",
    "tone-named": "names the tone",
    "short": "is under 60 characters",
    "long": "has 600 characters or more",
    "kind:instruction": "is an instruction",
    "kind:statement": "asks for nothing",
    "kind:fill-in": "is a choice or a blank to fill in",
    "kind:definition": "asks for a definition",
    "kind:comparison": "asks for a comparison",
    "kind:yes-no": "is a yes-or-no question",
    "kind:how-many": "asks how many or how much",
}
"""A feature as a predicate of a prompt; the other kinds of question are worded by :func:`feature_words`."""
OUTCOME_WORDS: Final = {
    "rated-4": "rated 4 or more",
    "rated-2": "rated 2 or less",
    "refusal": "refused",
    "correction": "corrected or rejected by the user",
    "praise": "praised by the user",
}
GOOD: Final = ("rated-4", "praise")
BAD: Final = ("rated-2", "refusal", "correction")

SLOTS: Final = {
    "role-given": "give the model a role",
    "kind:instruction": "word it as an instruction",
    "audience-named": "say who it is for",
    "context-pasted": "bring the text to work on",
    "code-pasted": "paste the code",
    "examples-given": "give an example",
    "output-format": "name the output format",
    "schema-given": "list the fields or sections you want",
    "constraints": "state the limits and conditions",
    "length-named": "say how long the answer should be",
    "tone-named": "name the tone",
    "language-named": "name the language",
    "step-by-step": "ask for the steps",
    "multi-part": "list everything you want in one prompt",
    "placeholder": "mark what is to be filled in",
    "polite": "ask politely",
    "greeting": "open with a greeting",
    "long": "write out 600 characters or more",
    "short": "keep it under 60 characters",
}
"""The parts a prompt may be built of, in the order in which it has them, each as it is asked for."""
MASKS: Final = {
    "urlmask": "<address>", "mailmask": "<mail>", "textmask": "<text>", "namemask": "<name>", "numbermask": "<number>",
}  # fmt: skip
_LONGEST: Final = 24
_SHOWN: Final = 16


def feature_words(feature: str) -> str:
    """A feature as a predicate.

    >>> feature_words("role-given"), feature_words("kind:how")
    ('gives the model a role', 'asks how')
    """
    return FEATURE_WORDS.get(feature) or f"asks {feature.removeprefix('kind:')}"


def features_words(features: tuple[str, ...]) -> str:
    """One feature, or two together.

    >>> features_words(("role-given", "polite"))
    'gives the model a role and asks politely'
    """
    return " and ".join(map(feature_words, features))


def outcome_words(outcome: str) -> str:
    """An outcome as what was done to a chat; a word of the user's own as it is."""
    return OUTCOME_WORDS.get(outcome, outcome)


def readable(family_text: str) -> str:
    """A masked first sentence as people read it; what is too long to be a word (a key, a hash) is masked too.

    >>> readable("write numbermask poems about namemask")
    'write <number> poems about <name>'
    """
    words = [MASKS.get(word, word if len(word) <= _LONGEST else "<text>") for word in family_text.split()]
    return " ".join(words[:_SHOWN])


def sentence(parts: list[str]) -> str:
    """Imperatives as one sentence; '' for none.

    >>> sentence(["give the model a role", "ask politely"])
    'Give the model a role and ask politely.'
    """
    if not parts:
        return ""
    text = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"{text[0].upper()}{text[1:]}."


def percent(share: float) -> str:
    """A share for people: a digit after the point below ten per cent.

    >>> percent(0.0314), percent(0.42)
    ('3.1 %', '42 %')
    """
    return f"{100 * share:.1f} %" if share < 0.0995 else f"{100 * share:.0f} %"
