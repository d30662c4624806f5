"""The generated rows of the contract tests, for loops."""

from tests.contract.conftest import generated_jsonl

__all__ = ["generated_jsonl"]
