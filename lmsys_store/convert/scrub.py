"""Personal data out of texts: e-mail addresses, phone and card numbers, IP addresses, keys. RE2 only: linear for any text.

Placeholders of the data set (NAME_1, …) stay. The hazard: what only looks like it. A number is a card where Luhn's checksum
holds, a phone number where it is written as one; loopback addresses are nobody's. A name, a street, a birthday is not found.
"""

import ipaddress
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any, Final

import re2

KINDS: Final = ("key", "email", "card", "ip", "phone")
"""What is looked for, in the order in which it is replaced: what was taken for a key is no longer a number."""

_OCTET: Final = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_PATTERNS: Final = {
    "key": r"""-----BEGIN [A-Z ]*PRIVATE KEY-----[A-Za-z0-9+/=\s]*(?:-----END [A-Z ]*PRIVATE KEY-----)?"""
    r"""|\b(?:sk|pk|rk)[-_](?:[a-z]+[-_])?[A-Za-z0-9_-]{20,}|\b(?:ghp|gho|ghu|ghs|ghr|github_pat|glpat|hf|xox[abprs])[-_][A-Za-z0-9_-]{16,}"""
    r"""|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[A-Za-z0-9_-]{35}|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+"""
    r"""|(?i:\b(?:api[_ -]?key|secret|(?:access|auth)?[_ -]?token|passw(?:or)?d|pwd)["']?\s*[:=]\s*["']?)"""
    r"""[A-Za-z0-9_/+=.-]{16,}""",
    "email": r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z][A-Za-z]+",
    "card": r"\b[2-6]\d{3}(?:[ -]?\d{2,6}){2,4}\b",
    "ip": rf"\b{_OCTET}(?:\.{_OCTET}){{3}}\b|(?i:\b[0-9a-f]{{1,4}}(?:::?[0-9a-f]{{1,4}}){{2,7}}\b)",
    "phone": r"\+\d[\d ().-]{7,18}\d|\(\d{3}\) ?\d{3}[ .-]?\d{4}\b|\b\d{3}[ .-]\d{3}[ .-]\d{4}\b"
    r"|(?i:\b(?:tel|telephone|phone|mobile|cell|fax|whatsapp|telefon|handy|tél|téléphone|teléfono|telefone)\b|телефон"
    r"|тел\.)[^\d+\n]{0,12}\+?\d[\d ()./-]{5,18}\d\b",
}  # fmt: skip
_DIGITS: Final = frozenset("0123456789")


class Scrubber:
    """Replaces personal data in texts and counts it by kind.

    >>> scrubber = Scrubber()
    >>> scrubber.scrub("NAME_1, jo@mail.example or +49 30 901820, card 4111 1111 1111 1111")
    'NAME_1, [EMAIL] or [PHONE], card [CARD]'
    >>> dict(scrubber.counts)
    {'email': 1, 'card': 1, 'phone': 1}
    """

    def __init__(self) -> None:
        self._looked_for, self._patterns = _compiled()
        self.counts: Counter[str] = Counter()

    def finds(self, text: str) -> bool:
        """Whether there may be something to replace; one look at all texts of a chat costs less than one at each."""
        return bool(self._looked_for.Match(text))

    def scrub(self, text: str) -> str:
        """The text with ``[EMAIL]``, ``[PHONE]``, ``[CARD]``, ``[IP]`` and ``[KEY]`` for what was found."""
        for at in sorted(self._looked_for.Match(text) or ()):
            kind = KINDS[at]
            text = self._patterns[at].sub(lambda match, kind=kind: self._replaced(kind, match), text)
        return text

    def _replaced(self, kind: str, match: Any) -> str:
        found: str = match.group()
        text, begin, end = match.string, match.start(), match.end()
        start = _REAL[kind](found, text[max(begin - 1, 0) : begin], text[end : end + 2])
        if start is None:
            return found
        self.counts[kind] += 1
        return f"{found[:start]}[{kind.upper()}]"


@cache
def _compiled() -> tuple[Any, tuple[Any, ...]]:
    """All patterns together, to know in one pass which occur, and one by one."""
    together = re2.Set.SearchSet(re2.Options())
    for kind in KINDS:
        together.Add(_PATTERNS[kind])
    together.Compile()
    return together, tuple(re2.compile(_PATTERNS[kind]) for kind in KINDS)


# Each is given what was found, the character before it and the two after, and gives where in it the personal data begins, or
# None where it only looks like it.


def _key(found: str, before: str, after: str) -> int | None:
    value = max(found.rfind(mark) for mark in ("=", ":", '"', "'", " ")) + 1 if found[0] not in "-" else 0
    value = 0 if not found[value:] or len(found) - value < 16 else value
    random_like = bool(_DIGITS & set(found[value:])) and any(char.isalpha() for char in found[value:])
    return value if random_like or found.startswith("-----") else None


def _email(found: str, before: str, after: str) -> int | None:
    return 0


def _card(found: str, before: str, after: str) -> int | None:
    digits = [int(char) for char in found if char in _DIGITS]
    if not 13 <= len(digits) <= 19 or before in _PART_OF_A_NUMBER or len(set(found) - _DIGITS) > 1:
        return None
    doubled = [2 * digit - 9 * (digit > 4) for digit in digits[-2::-2]]
    return 0 if (sum(doubled) + sum(digits[::-2])) % 10 == 0 else None


def _ip(found: str, before: str, after: str) -> int | None:
    if before in _PART_OF_A_NUMBER or (after[:1] == "." and after[1:].isdecimal()):
        return None  # a version, or another longer number
    try:
        address = ipaddress.ip_address(found)
    except ValueError:
        return None
    return None if address.is_loopback or address.is_unspecified or address.is_link_local else 0


def _phone(found: str, before: str, after: str) -> int | None:
    start = next(at for at, char in enumerate(found) if char in "+(" or char in _DIGITS)
    digits = sum(char in _DIGITS for char in found)
    if start == 0 and (before.isalnum() or before in _PART_OF_A_NUMBER):
        return None
    return start if 7 <= digits <= 15 else None


_PART_OF_A_NUMBER: Final = frozenset(".+-*/^")
_REAL: Final[dict[str, Callable[[str, str, str], int | None]]] = {
    "key": _key, "email": _email, "card": _card, "ip": _ip, "phone": _phone,
}  # fmt: skip
