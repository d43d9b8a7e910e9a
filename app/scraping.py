"""The listener for metrics alone, of `CHAT_METRICS_PORT`: in the process that serves, or in the workers' parent.

Whoever can connect may read them, so by default only this machine can.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from socket import socket

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.access.hosts import Hosts
from app.access.origins import Origins
from app.chat.errors import Misconfigured
from app.contract import Contract
from app.http.middleware import EveryRequest
from app.http.problems import Problems
from app.routers.metrics import Exposition, written
from app.server.beside import Beside
from app.server.clocks import Patience
from app.server.connection import bounded_protocol
from app.server.listening import METRICS, bound, is_public, listen, url
from app.server.refusals import Refusals
from app.settings import Settings

_PATIENCE = Patience(head=10.0, stalled=30.0)
_METHODS = ("GET", "HEAD")


def bound_for_metrics(settings: Settings) -> list[socket]:
    """Bound sockets, or none if no port is set. Raises `CannotListen`, and `Misconfigured` for the service's port."""
    if settings.metrics_port is None or not settings.metrics:
        return []
    if settings.metrics_port == settings.port != 0:
        raise Misconfigured(
            "CHAT_METRICS_PORT: this is the service's own port, which has GET /metrics as well. "
            "Next: set another port, or leave it unset"
        )
    return bound(settings.metrics_host, settings.metrics_port, METRICS)


def metrics_url(settings: Settings, sockets: Sequence[socket]) -> str | None:
    """What to scrape on this machine, if there is a listener for that."""
    return f"{url(sockets, settings.metrics_host)}{_path(settings).lstrip('/')}" if sockets else None


@asynccontextmanager
async def metrics_served(
    settings: Settings, sockets: Sequence[socket], exposition: Exposition | None
) -> AsyncIterator[None]:
    """Serve the metrics on these sockets, if there are any. Raises `CannotListen`."""
    if exposition is None or not sockets:
        yield
        return
    listen(sockets, settings.metrics_host, METRICS)
    problems = Problems(Contract.load(settings.max_message_characters).problems, str)
    app = _only_metrics(exposition, problems, settings, can_be_reached=is_public(sockets))
    async with Beside(app, bounded_protocol(_PATIENCE, Refusals(problems)), sockets):
        yield


def _only_metrics(exposition: Exposition, problems: Problems, settings: Settings, *, can_be_reached: bool) -> ASGIApp:
    path, host = _path(settings), settings.metrics_host

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != path:
            raise HTTPException(404)
        if scope["method"] not in _METHODS:
            raise HTTPException(405)
        await written(exposition, Request(scope))(scope, receive, send)

    return EveryRequest(
        app,
        problems=lambda _: problems,
        allowed_methods=lambda asked: _METHODS if asked == path else (),
        origins=Origins([]),
        checks=[Hosts((), host, is_public=lambda: can_be_reached, open_paths=()).refuse_others],
    )


def _path(settings: Settings) -> str:
    return Contract.load(settings.max_message_characters).operations["getMetrics"].path
