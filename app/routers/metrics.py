"""Metrics for Prometheus, on the service's port."""

import hmac
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response

from app.access.errors import CredentialsMissing, InvalidToken
from app.access.gate import Gate
from app.http.accept import prefers
from app.http.problems import RequestError

_TEXT = "text/plain"
_OPENMETRICS = "application/openmetrics-text"


class Exposition(Protocol):
    """`app.telemetry.exposition.Exposition`."""

    def text(self) -> bytes: ...

    def openmetrics(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class MetricsRouter:
    """`getMetrics`. Its guard is its own: with a key for metrics, no other credentials open them."""

    exposition: Exposition | None
    gate: Gate
    key: str | None
    is_open: bool
    """Whether others than this machine are served without credentials: they get no metrics, unless there is a key."""

    async def get_metrics(self, request: Request) -> Response:
        """The metrics."""
        if self.key is not None:
            _check_key(request, self.key)
        elif self.is_open and not self.gate.is_locked:
            raise CredentialsMissing
        else:
            await self.gate.admit(request.scope, is_stream=False, may_repeat=False)
        if self.exposition is None:
            raise RequestError("path-not-found")
        return written(self.exposition, request)


def written(exposition: Exposition, request: Request) -> Response:
    """In OpenMetrics' format for clients that name it and like it at least as much; else in Prometheus' text format."""
    if prefers(request.scope, _OPENMETRICS, _TEXT):
        body, media_type = exposition.openmetrics(), f"{_OPENMETRICS}; version=1.0.0; charset=utf-8"
    else:
        body, media_type = exposition.text(), f"{_TEXT}; version=0.0.4; charset=utf-8"
    return Response(body, headers={"Cache-Control": "no-store", "Content-Type": media_type})


def _check_key(request: Request, key: str) -> None:
    given = [value for name, value in request.scope["headers"] if name == b"authorization"]
    if len(given) > 1:
        raise InvalidToken
    scheme, _, token = (given or [b""])[0].partition(b" ")
    if scheme.lower() != b"bearer":
        raise CredentialsMissing
    if not hmac.compare_digest(token.strip(b" "), key.encode()):
        raise InvalidToken
