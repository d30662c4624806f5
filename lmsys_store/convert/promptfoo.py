"""Tests for promptfoo, as YAML, JSON Lines and CSV. Pure.

The hazard: promptfoo renders the values of variables as Nunjucks templates, reads what begins with ``file://`` from disk, and
loads ``package:``; chats contain all of these. So what would be read that way is written as a template that renders to
exactly the text: ``{{input}}`` in a text prompt, or ``{{messages}}`` for all messages as JSON (the whole prompt of a chat
model), come out as they were logged. Lists are JSON texts, since a list of strings is multiplied out.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from lmsys_store.convert.cases import TestCase
from lmsys_store.convert.formats import Format, JsonLines

_MARKS: Final = re.compile(r"\{(?=[{%#])|#(?=\})")
_READ: Final = ("file://", "package:")
_NO_METADATA: Final = frozenset({"messages", "conversationId", "id"})


def verbatim(text: str) -> str:
    """A template that renders to the text; the text itself where that is safe.

    >>> verbatim("plain"), verbatim("{% if %}"), verbatim("file:///etc/passwd")
    ('plain', "{{ '{' }}% if %}", "{{ 'f' }}ile:///etc/passwd")
    """
    escaped = _MARKS.sub(lambda mark: f"{{{{ '{mark[0]}' }}}}", text)
    if escaped.startswith(_READ):
        escaped = f"{{{{ '{escaped[0]}' }}}}{escaped[1:]}"
    return f"{escaped}{{{{ '' }}}}" if escaped.endswith("\n") else escaped  # its last line end is cut off otherwise


def tests(case: TestCase) -> Iterable[dict[str, Any]]:
    """The tests of a case: one, or of a chat to replay one for each of the user's messages, in one conversation.

    ``metadata.conversationId`` keeps the histories of ``_conversation`` apart: so it is the chat's only in a replay.
    """
    metadata = {key: _unread(value) for key, value in case.metadata.items() if key not in _NO_METADATA}
    metadata |= {"caseId": case.id, "chatId": _unread(case.metadata["conversationId"])}
    if not case.conversation:
        sent = [{"role": message.role, "content": message.content} for message in case.prompt]
        yield _test(case.id, case.id, case.input, sent, metadata)
        return
    for at in range(0, len(case.conversation), 2):
        sent = [{"role": message.role, "content": message.content} for message in case.conversation[: at + 1]]
        yield _test(f"{case.id}-{at // 2 + 1}", case.id, case.conversation[at].content, sent, metadata)


def _test(
    description: str, conversation: str, input: str, sent: Sequence[dict[str, str]], metadata: dict[str, Any]
) -> dict[str, Any]:
    return {
        "description": description,
        "vars": {"input": verbatim(input), "messages": verbatim(json.dumps(sent, ensure_ascii=False))},
        "metadata": {**metadata, "conversationId": conversation},
        "options": {"disableVarExpansion": True},
    }


def _unread(value: object) -> object:
    """Metadata is not rendered, but read from disk all the same: a space before it keeps the text from that."""
    return f" {value}" if isinstance(value, str) and value.startswith(_READ) else value


class YamlTests:
    """A YAML list, a test after the other; texts quoted, so that none is taken for a number, a date or a word for true."""

    def __init__(self) -> None:
        import yaml

        class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
            """Quotes every text; those of several lines stand as they are, where YAML can say them so."""

            def ignore_aliases(self, data: object) -> bool:
                return True

        def represent(dumper: Any, text: str) -> Any:
            lines = "\n" in text and _is_block(text)
            return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if lines else '"')

        Dumper.add_representer(str, represent)
        self._yaml, self._dumper = yaml, Dumper
        self._empty = True

    def begin(self) -> bytes:
        return b""

    def encode(self, cases: Sequence[TestCase]) -> bytes:
        found = [test for case in cases for test in tests(case)]
        if not found:
            return b""
        self._empty = False
        dumped: bytes = self._yaml.dump(
            found, Dumper=self._dumper, allow_unicode=True, sort_keys=False, width=1 << 30, encoding="utf-8"
        )
        return dumped

    def end(self) -> bytes:
        return b"[]\n" if self._empty else b""


def _is_block(text: str) -> bool:
    """Whether a text keeps its characters in a literal block: only printable ones and line ends, no blank first line."""
    return (
        text[0] not in " \n\t"
        and text.replace("\n", "").isprintable()
        and not any(line.endswith(" ") for line in text.split("\n"))
    )


class CsvTests:
    """Columns by promptfoo's names. There is no ``__expected``: bare text in it is a test for equality."""

    _SPECIAL: Final = ("__description", "__metadata:conversationId", "__metadata:caseId")

    def __init__(self) -> None:
        self._columns = ("input", "messages", *self._SPECIAL, *(f"__metadata:{key}" for key in _CSV_METADATA))

    def begin(self) -> bytes:
        return self._lines([self._columns])

    def encode(self, cases: Sequence[TestCase]) -> bytes:
        return self._lines([self._row(test) for case in cases for test in tests(case)])

    def end(self) -> bytes:
        return b""

    def _row(self, test: dict[str, Any]) -> list[object]:
        values, metadata = test["vars"], test["metadata"]
        special = (test["description"], metadata["conversationId"], metadata["caseId"])
        return [values["input"], values["messages"], *special, *(metadata.get(key, "") for key in _CSV_METADATA)]

    @staticmethod
    def _lines(rows: Iterable[Sequence[object]]) -> bytes:
        text = io.StringIO()
        csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
        return text.getvalue().encode()


_CSV_METADATA: Final = (
    "chatId", "source", "origin", "originalModel", "rating", "ratingBasis", "language", "domain", "useCase",
    "outputsMode", "turnsMode", "round", "contentHash", "licence", "referenceOutput",
)  # fmt: skip

FORMATS: Final = (
    Format("promptfoo", ".yaml", "promptfoo: tests: file.yaml; prompts use {{input}} or {{messages}}", YamlTests),
    Format("promptfoo-jsonl", ".jsonl", "promptfoo: the same as JSON Lines", lambda: JsonLines(tests)),
    Format("promptfoo-csv", ".csv", "promptfoo: the same as CSV", CsvTests),
)
