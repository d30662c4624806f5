"""Answers as the viewer and what stands before it write them: status, body and headers, before they meet a socket.

The texts of the long refusals say what the server's say, in other words: no client may branch on them.
"""

import base64
import gzip
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

LIVE_CODES: Final[Mapping[str, int]] = {
    "MissingRequiredParameter": 422, "InvalidParameter": 422, "ExternalUnauthenticatedError": 401,
    "ExternalAuthenticatedError": 404, "RenamedDatasetError": 404, "ResponseNotFound": 404, "ResponseNotReady": 500,
    "AuthCheckHubRequestError": 500, "UnprocessableIndexError": 500, "DownloadIndexError": 500, "TooBigContentError": 500,
    "TransformRowsProcessingError": 500, "UnexpectedApiError": 500, "JWTExpiredSignature": 401, "JWTInvalidClaimRead": 401,
    "JWTInvalidClaimSub": 401, "JWTInvalidKeyOrAlgorithm": 401, "JWTInvalidSignature": 401, "JWTMissingRequiredClaim": 401,
    "JWTKeysError": 500, "SearchFeatureNotAvailableError": 400,
}  # fmt: skip
"""The codes the viewer raises while it answers, with their status."""

CACHED_CODES: Final[Mapping[str, int]] = dict.fromkeys(
    (
        "NotSupportedDisabledRepositoryError", "NotSupportedRepositoryNotFoundError", "NotSupportedDisabledViewerError",
        "NotSupportedPrivateRepositoryError", "NotSupportedTagNFAAError", "DatasetInBlockListError",
        "DatasetWithScriptNotSupportedError", "DatasetWithTooManyConfigsError", "DatasetWithTooManySplitsError",
        "DatasetWithTooManyParquetFilesError", "CacheDirectoryNotInitializedError", "JobManagerCrashedError",
        "JobManagerExceededMaximumDurationError", "LockedDatasetTimeoutError", "NoSupportedFeaturesError",
        "PresidioScanNotEnabledForThisDataset", "TooBigContentError",
    ), 501,
) | dict.fromkeys(("ConfigNotFoundError", "DatasetNotFoundError", "SplitNotFoundError"), 404) | {
    "SplitParquetSchemaMismatchError": 422,
} | dict.fromkeys(
    (
        "ComputationError", "ConfigNamesError", "CreateCommitError", "DataFilesNotFoundError", "DatasetGenerationError",
        "DatasetGenerationCastError", "DatasetWithTooComplexDataFilesPatternsError", "DiskError",
        "DuckDBIndexFileNotFoundError", "EmptyDatasetError", "ExternalServerError", "FeaturesError",
        "FeaturesResponseEmptyError", "FileFormatMismatchBetweenSplitsError", "FileSystemError", "HfHubError", "InfoError",
        "MissingSpawningTokenError", "NormalRowsError", "ParameterMissingError", "ParquetResponseEmptyError",
        "PolarsParquetReadError", "PreviousStepFormatError", "PreviousStepStatusError", "PreviousStepStillProcessingError",
        "RetryableConfigNamesError", "RowsPostProcessingError", "SplitsNamesError", "SplitNamesFromStreamingError",
        "StreamingRowsError", "TooManyColumnsError", "TooLongColumnNameError", "UnexpectedError",
    ), 500,
)  # fmt: skip
"""The codes of failed background jobs, which the viewer replays, with their status."""

TEXTS: Final[Mapping[str, str]] = {
    "ExternalUnauthenticatedError": "There is no such dataset, or it cannot be read without authentication.",
    "ExternalAuthenticatedError": "There is no such dataset, or it cannot be read with the current credentials. Try others.",
    "RenamedDatasetError": "The dataset has been renamed.",
    "ResponseNotFound": "Not found.",
    "ResponseNotReady": "The dataset index is loading. Please retry later.",
    "AuthCheckHubRequestError": "The authentication check on the Hub failed or timed out. Please retry later.",
    "TooBigContentError": "Too much data would have to be read for these rows. Ask for fewer.",
    "UnexpectedApiError": "Unexpected error.",
}
"""What an error says where the test does not care; a code without an entry says its own name."""

GZIP_FROM: Final = 500
_HTML_TITLES: Final = {502: "Bad Gateway", 503: "Service Temporarily Unavailable", 504: "Gateway Time-out"}


@dataclass(frozen=True)
class Answer:
    """One answer. ``edge`` is one of the layer in front: it is never compressed and knows no CORS."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    edge: bool = False

    def with_headers(self, **headers: str) -> "Answer":
        """The same with more headers; an underscore in a name stands for a hyphen."""
        return replace(
            self, headers={**self.headers, **{name.replace("_", "-"): text for name, text in headers.items()}}
        )


class RefusedError(Exception):
    """The request ends with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def refused(code: str, text: str | None = None, *, revision: str | None = None) -> RefusedError:
    """An error of the viewer, to be raised."""
    return RefusedError(error_answer(LIVE_CODES[code], code, text, revision=revision))


def json_answer(payload: Any, revision: str) -> Answer:
    """A success."""
    headers = {"Content-Type": "application/json", "Cache-Control": "max-age=120", "X-Revision": revision}
    return Answer(200, to_json(payload), headers)


def error_answer(
    status: int, code: str | None = None, text: str | None = None, *, revision: str | None = None
) -> Answer:
    """An error of the viewer: the code is in a header, and never in the body."""
    headers = {"Content-Type": "application/json", "Cache-Control": "max-age=10"}
    if code is not None:
        headers["X-Error-Code"] = code
    if revision is not None:
        headers["X-Revision"] = revision
    return Answer(status, to_json({"error": text or TEXTS.get(code or "", code or "Error.")}), headers)


def text_answer(status: int, text: str, **headers: str) -> Answer:
    """An answer of the web framework: plain text, no code."""
    return Answer(status, text.encode(), {"Content-Type": "text/plain; charset=utf-8"}).with_headers(**headers)


def html_answer(status: int) -> Answer:
    """An answer of the load balancer."""
    title = f"{status} {_HTML_TITLES.get(status, 'Error')}"
    body = f"<html>\r\n<head><title>{title}</title></head>\r\n<body><center><h1>{title}</h1></center></body>\r\n</html>\r\n"
    headers = {"Content-Type": "text/html", "Server": "awselb/2.0", "X-Cache": "Error from cloudfront"}
    return Answer(status, body.encode(), headers, edge=True)


def too_many_answer(retry_after: str | None = None, rate_limit: str | None = None) -> Answer:
    """A refusal of the layer in front that counts requests."""
    answer = Answer(429, b"Too Many Requests", {"Content-Type": "text/plain"}, edge=True)
    if retry_after is not None:
        answer = answer.with_headers(Retry_After=retry_after)
    return answer.with_headers(RateLimit=rate_limit) if rate_limit is not None else answer


def dressed(answer: Answer, accept_encoding: str | None, origin: str | None) -> Answer:
    """The answer with what the request's headers call for: compression, and CORS for a request with an ``Origin``."""
    if answer.edge:
        return answer
    if origin is not None:
        answer = answer.with_headers(
            Access_Control_Allow_Origin=origin,
            Access_Control_Allow_Credentials="true",
            Access_Control_Expose_Headers="X-Error-Code, X-Revision",
        )
    if len(answer.body) < GZIP_FROM or "gzip" not in (accept_encoding or ""):
        return answer
    # The lightest level: this is about a page's form, and the machine's time belongs to the client under test.
    small = replace(answer, body=gzip.compress(answer.body, compresslevel=1, mtime=0))
    return small.with_headers(Content_Encoding="gzip", Vary="Accept-Encoding")


def to_json(payload: Any) -> bytes:
    """Compact JSON in UTF-8; a number JSON has no word for is null."""
    try:
        return _dump(payload)
    except ValueError:
        return _dump(_finite(payload))


def _dump(payload: Any) -> bytes:
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_other).encode()


def _other(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(inner) for name, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list | tuple) else value
