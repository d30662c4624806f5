"""Who may read: what the Hub's auth-check says of a token and a data set, and what each of the two servers makes of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tests.standin.answers import Answer, refused, to_json

Verdict = int | Literal["timeout"]

_CODES: Mapping[Verdict, str] = {
    401: "ExternalUnauthenticatedError",
    403: "ExternalAuthenticatedError",
    404: "ExternalAuthenticatedError",
    307: "RenamedDatasetError",
    "timeout": "AuthCheckHubRequestError",
}
_INVALID_CREDENTIALS = "Invalid credentials in Authorization header"


@dataclass
class Access:
    """One data set on a Hub where no other exists, and the tokens the Hub knows. A token not in the table is malformed."""

    dataset: str
    gated: bool
    tokens: Mapping[str, Verdict]

    def verdict(self, dataset: str, authorization: str | None) -> Verdict:
        """The status of the Hub's auth-check. A public data set is open to anyone whose token is valid, or who sends none."""
        if authorization is None:
            return 200 if dataset == self.dataset and not self.gated else 401
        found = self._token(authorization)
        if found == 403 and not self.gated:
            found = 200
        return 404 if found in (200, 403) and dataset != self.dataset else found

    def check(self, dataset: str, headers: Mapping[str, str]) -> None:
        """Refuse as the viewer does. Cookies count for nothing; an API key goes before a token, and ours is none."""
        authorization = headers.get("Authorization")
        if "X-Api-Key" in headers:
            raise refused("UnexpectedApiError")
        if (authorization or "").startswith("Bearer jwt:"):
            raise refused("JWTInvalidKeyOrAlgorithm")
        verdict = self.verdict(dataset, authorization)
        if verdict != 200:
            # All else the Hub may say, a 429 of its own included, is unexpected to the viewer.
            raise refused(_CODES.get(verdict, "UnexpectedApiError"))

    def hub_answer(self, dataset: str, authorization: str | None) -> Answer | None:
        """The Hub's own answer, which tells gated from unknown; None is no answer at all."""
        verdict = self.verdict(dataset, authorization)
        if verdict == "timeout":
            return None
        if verdict == 200:
            return Answer(200, b"OK", {"Content-Type": "text/plain; charset=utf-8"})
        if verdict == 307:
            return Answer(307, b"", {"Location": f"/api/datasets/{dataset}-renamed/auth-check"})
        if verdict == 429:
            return hub_error(429, None, "Too many requests").with_headers(RateLimit='"api";r=0;t=2')
        if verdict == 401 and authorization is not None:
            return hub_error(401, None, _INVALID_CREDENTIALS)
        if verdict in (401, 403) and dataset == self.dataset:
            return hub_error(verdict, "GatedRepo", f"Access to dataset {dataset} is restricted.")
        return hub_error(verdict, "RepoNotFound", "Repository not found")

    def _token(self, authorization: str) -> Verdict:
        scheme, _, token = authorization.partition(" ")
        return self.tokens.get(token.strip(), 401) if scheme.lower() == "bearer" else 401


def hub_error(status: int, code: str | None, message: str) -> Answer:
    """An error of the Hub: its message is in a header too."""
    headers = {"Content-Type": "application/json; charset=utf-8", "X-Error-Message": message}
    if code is not None:
        headers["X-Error-Code"] = code
    return Answer(status, to_json({"error": message}), headers)
