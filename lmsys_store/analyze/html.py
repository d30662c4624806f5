"""Writes the report page: the only module of the analysis that opens a file."""

import contextlib
import os
from pathlib import Path

from lmsys_store.errors import ExportError


def write_html(page: str, path: str | Path, *, replace: bool = False) -> None:
    """Write a page to a file that only its owner can read: it may hold texts of chats. It appears whole or not at all.

    Raises:
        ExportError: the file exists (unless it may be replaced), or cannot be written.
    """
    path = Path(path)
    if path.exists() and not replace:
        raise ExportError(f"{path} exists; name another file, or replace it with replace=True (--force)")
    half_written = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(half_written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf8", errors="replace") as file:
            file.write(page)
        half_written.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            half_written.unlink(missing_ok=True)
        raise ExportError(f"{path} cannot be written: {error.strerror}; name another place") from error
