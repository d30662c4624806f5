"""A request's parameters: what is required, what a number may be, and in which order that is checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.standin.answers import refused

PAGE: Final = 100
_THREE: Final = ("dataset", "config", "split")


@dataclass(frozen=True)
class Call:
    """One request as the routes and the faults see it. ``offset`` and ``length`` are valid once ``checked`` let them pass."""

    endpoint: str
    params: Mapping[str, str] = field(default_factory=dict)
    offset: int = 0
    length: int = PAGE

    @classmethod
    def of(cls, endpoint: str, params: Mapping[str, str]) -> "Call":
        """The call of a request that nobody has checked: a number that is none counts as left out."""
        return cls(endpoint, params, _lenient(params.get("offset"), 0), _lenient(params.get("length"), PAGE))

    def level(self) -> tuple[str | None, str | None]:
        """Config and split as the level-choosing endpoints see them: empty is absent, and a split needs a config."""
        config, split = self.params.get("config", "").strip() or None, self.params.get("split", "").strip() or None
        return config, split if config else None


def check_page(call: Call) -> None:
    """The rules of ``/rows`` and ``/filter``: one missing parameter is named, then the numbers."""
    check_names(call)
    check_numbers(call)


def check_names(call: Call) -> None:
    """Dataset, config and split are there, checked in that order."""
    for name in _THREE:
        if not call.params.get(name, "").strip():
            raise refused("MissingRequiredParameter", f"Parameter '{name}' is required")


def check_numbers(call: Call) -> None:
    """Offset and length are what ``int()`` takes, and in their range."""
    for name, maximum in (("offset", None), ("length", PAGE)):
        text = call.params.get(name)
        if text is None:
            continue
        try:
            number = int(text)
        except ValueError:
            raise refused("InvalidParameter", f"Parameter '{name}' must be integer") from None
        if number < 0:
            raise refused("InvalidParameter", f"Parameter '{name}' must be positive")
        if maximum is not None and number > maximum:
            raise refused("InvalidParameter", f"Parameter '{name}' must not be greater than {maximum}")


def check_dataset(call: Call) -> None:
    """The rule of the endpoints that have a dataset level."""
    if not call.params.get("dataset", "").strip():
        raise refused("MissingRequiredParameter", "Parameter 'dataset' is required")


def check_all_three(call: Call) -> None:
    """The rule of the endpoints that have only a split level: all three are named at once."""
    if not all(call.params.get(name, "").strip() for name in _THREE):
        raise refused("MissingRequiredParameter", "Parameters 'dataset', 'config' and 'split' are required")


def _lenient(text: str | None, default: int) -> int:
    try:
        return default if text is None else max(0, int(text))
    except ValueError:
        return default
