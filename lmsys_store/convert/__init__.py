"""Room 4, rows out: test cases and the formats of the tools that read them. Pure but for writing.py; nothing heavy on import."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lmsys_store.convert.base import AsyncConverted as AsyncConverted
    from lmsys_store.convert.base import Converted as Converted
    from lmsys_store.convert.cases import TestCase as TestCase
    from lmsys_store.convert.cases import to_test_cases as to_test_cases
    from lmsys_store.convert.export import CasesReport as CasesReport
    from lmsys_store.convert.export import write_cases as write_cases
    from lmsys_store.convert.export import write_cases_async as write_cases_async
    from lmsys_store.convert.formats import Format as Format
    from lmsys_store.convert.formats import known_formats as known_formats
    from lmsys_store.convert.formats import register_format as register_format

_HOMES = {
    "AsyncConverted": "base",
    "CasesReport": "export",
    "Converted": "base",
    "Format": "formats",
    "TestCase": "cases",
    "known_formats": "formats",
    "register_format": "formats",
    "to_test_cases": "cases",
    "write_cases": "export",
    "write_cases_async": "export",
}

__all__ = (
    "AsyncConverted",
    "CasesReport",
    "Converted",
    "Format",
    "TestCase",
    "known_formats",
    "register_format",
    "to_test_cases",
    "write_cases",
    "write_cases_async",
)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'lmsys_store.convert' has no attribute {name!r}")
    return getattr(import_module(f"lmsys_store.convert.{_HOMES[name]}"), name)
