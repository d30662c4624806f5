"""Position: where an iteration stands, and the token that says so to a later one, in this process or another. Pure."""

import base64
import binascii
import hashlib
import json
from dataclasses import MISSING, dataclass, fields
from typing import Final, Literal

from lmsys_store.errors import ResumeTokenError

PhaseName = Literal["cache", "remote", "mock"]
TOKEN_VERSION: Final = 2
_READABLE: Final = (1, 2)
"""Version 1 knew row order alone; what it says means the same."""


@dataclass(frozen=True)
class Position:
    """After row index ``last`` of a phase, ``count`` rows in.

    ``bound`` is the ``seq`` up to which the iteration sees stored rows, ``floor`` the one from which (where it follows);
    ``offset`` is where the remote's filter goes on; ``value`` is what the last row was ordered by; ``round`` counts cycles.
    """

    selection: str
    revision: str
    bound: int
    last: int
    count: int
    phase: PhaseName = "cache"
    offset: int = 0
    floor: int = -1
    round: int = 0
    value: str | float | None = None
    version: int = TOKEN_VERSION

    def token(self) -> str:
        """The position as a short text, safe in URLs and file names."""
        values = {name: value for name, value in self.__dict__.items() if value != _DEFAULTS.get(name, MISSING)}
        text = json.dumps(values | {"version": self.version}, separators=(",", ":"), sort_keys=True)
        check = hashlib.sha256(text.encode()).hexdigest()[:8]
        return base64.urlsafe_b64encode(f"{check}{text}".encode()).decode().rstrip("=")

    @classmethod
    def of_token(cls, token: str) -> "Position":
        """Read a token back.

        Raises:
            ResumeTokenError: not a token, or one of an unknown version.
        """
        try:
            text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
            check, values = text[:8], json.loads(text[8:])
            version = values["version"]
            whole = hashlib.sha256(text[8:].encode()).hexdigest()[:8] == check
        except (ValueError, KeyError, TypeError, binascii.Error):
            whole, version = False, None
        if not whole:
            raise ResumeTokenError(
                "this is not a resume token, or it was cut short; give the whole text of results.token"
            )
        if version not in _READABLE:
            raise ResumeTokenError(
                f"the token has version {version}, this package reads {TOKEN_VERSION}; start the loop anew"
            )
        return cls(**values)

    @property
    def found_real(self) -> bool:
        """Whether real rows were handed over before it."""
        return self.phase != "mock" and (self.count > 0 or self.last >= 0)


_DEFAULTS: Final = {field.name: field.default for field in fields(Position) if field.default is not MISSING}
