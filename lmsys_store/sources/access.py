"""Why a data set is closed to this user, and what to do about it. Pure: the answers are the client's to fetch."""

from dataclasses import dataclass
from typing import Final

from lmsys_store.errors import (
    DatasetNotFoundError,
    OfflineError,
    RemoteError,
    RemoteUnavailableError,
    TermsNotAcceptedError,
    TokenMissingError,
    TokenRefusedError,
)
from lmsys_store.settings import Settings

VIEWER_CODES: Final = (
    "ExternalUnauthenticatedError", "ExternalAuthenticatedError", "RenamedDatasetError", "ResponseNotFound",
    "DatasetNotFoundError", "ConfigNotFoundError", "SplitNotFoundError",
)  # fmt: skip
"""Codes of the viewer's 401 and 404 answers. It cannot tell "not accepted" from "no such data set"; the Hub can."""


@dataclass(frozen=True)
class Verdict:
    """What the Hub's auth-check answers: its status and its ``X-Error-Code``."""

    status: int
    code: str


def offline(settings: Settings) -> OfflineError | None:
    """The error of asking where the settings forbid it; None where they do not."""
    if not settings.offline:
        return None
    return OfflineError("HF_HUB_OFFLINE is set: the remote is not asked; unset it, or read what the store holds")


def denial(dataset: str, settings: Settings, code: str, verdict: Verdict | None) -> RemoteError:
    """The error that says what to do."""
    hub, token = settings.hub_url.rstrip("/"), settings.token()
    if code == "RenamedDatasetError" or (verdict is not None and verdict.status in (301, 307, 308)):
        return DatasetNotFoundError(f"{dataset} was renamed; look up its name at {hub}/datasets/{dataset}")
    if code in ("ResponseNotFound", "ConfigNotFoundError", "SplitNotFoundError"):
        return DatasetNotFoundError(
            f"{dataset} has no such configuration or split as asked for; see {hub}/datasets/{dataset}"
        )
    if verdict is None or verdict.status >= 500 or verdict.status == 429:
        return RemoteUnavailableError(
            f"{dataset} is refused, and {hub} does not say why now; try again later, and check the token and the terms"
        )
    if verdict.status == 404 or verdict.code == "RepoNotFound":
        return DatasetNotFoundError(f"there is no data set {dataset} at {hub}; check its name")
    if token is None:
        return TokenMissingError(
            f"{dataset} asks for a token: accept its terms at {hub}/datasets/{dataset}, make a token at "
            f"{hub}/settings/tokens, and put it into HF_TOKEN or {settings.token_path()}"
        )
    if verdict.status == 401:
        return TokenRefusedError(
            f"the token is not valid (any more): make one at {hub}/settings/tokens, and put it into HF_TOKEN or "
            f"{settings.token_path()}"
        )
    if verdict.status == 403:
        return TermsNotAcceptedError(
            f"the terms of {dataset} are not accepted: do so at {hub}/datasets/{dataset} with the account of this token"
        )
    if verdict.status != 200:
        return RemoteUnavailableError(f"{hub} answers {verdict.status} where access is asked for; check HF_ENDPOINT")
    return RemoteUnavailableError(
        f"{dataset} is refused although {hub} grants access; try again in a few minutes, it may not know yet"
    )
