"""Questions asked of rows in hand, in one pass over them; needs no store. Pure but for what a module says of itself.

``Patterns`` is the default analyzer, its result a ``PatternReport``; ``compare`` lays two of them side by side.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lmsys_store.analyze.comparing import Comparison as Comparison
    from lmsys_store.analyze.comparing import compare as compare
    from lmsys_store.analyze.patterns import Patterns as Patterns
    from lmsys_store.analyze.report import PatternReport as PatternReport
    from lmsys_store.folds import Analyzer as Analyzer

_HOMES = {
    "Analyzer": "folds",
    "Comparison": "analyze.comparing",
    "PatternReport": "analyze.report",
    "Patterns": "analyze.patterns",
    "compare": "analyze.comparing",
}

__all__ = ("Analyzer", "Comparison", "PatternReport", "Patterns", "compare")


def __getattr__(name: str) -> object:
    # Found when asked for, as in the package's own front door: numpy is not loaded by those who only look for duplicates.
    if name not in _HOMES:
        raise AttributeError(f"module 'lmsys_store.analyze' has no attribute {name!r}")
    return getattr(import_module(f"lmsys_store.{_HOMES[name]}"), name)
