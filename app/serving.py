"""Serves an application in this process: what `python -m app` does, and each of its workers."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from socket import socket

import uvicorn
from fastapi import FastAPI

from app.announcement import announce
from app.chat.errors import Misconfigured
from app.operators import keys
from app.scraping import bound_for_metrics, metrics_served, metrics_url
from app.server.clocks import Patience
from app.server.connection import bounded_protocol
from app.server.draining import Server
from app.server.files import allow_files
from app.server.lifespan import Lifespan, use
from app.server.listening import bound, inherited, is_public, listen, url
from app.server.refusals import Refusals
from app.settings import Settings

CLOSING_SECONDS = 2
"""After the drain: how long connections may take to close before they are cut."""

_PUBLIC = (
    "CHAT_HOST: this address can be reached from outside, and no credentials are required. Next: python -m app "
    "keys create NAME; or CHAT_ALLOW_ANYONE=1, if a proxy in front authenticates or everybody may use the service"
)


def serve(settings: Settings, app: FastAPI) -> int:
    """Serve an application that `create_app` has made, until a signal comes. Returns the exit status.

    Raises `CannotStart`, and whatever else keeps the application from starting.
    """

    def begin() -> None:
        listen(sockets, settings.host)
        announce(
            settings,
            url(sockets, settings.host),
            app.state.database,
            has_keys=app.state.gate.has_keys,
            metrics=metrics_url(settings, for_metrics),
        )

    allow_files(settings.max_open_streams)
    # Before there is a database, which another program may be using.
    sockets = inherited() or bound(settings.host, settings.port)
    for_metrics: list[socket] = []
    try:
        for_metrics = bound_for_metrics(settings)
        beside = metrics_served(settings, for_metrics, app.state.exposition)
        config = configured(settings, app, sockets, begin, beside)
        look_for_credentials(settings, sockets)
        server = Server(config, app.state.replies, settings.drain_seconds)
        server.run(sockets)
    except KeyboardInterrupt:
        return 130
    finally:
        for listener in [*sockets, *for_metrics]:
            listener.close()
    return 0 if server.started else 3


def configured(
    settings: Settings,
    app: FastAPI,
    sockets: Sequence[socket],
    begin: Callable[[], None],
    *beside: AbstractAsyncContextManager[object],
) -> uvicorn.Config:
    """How uvicorn serves the application on these sockets; it calls `begin` when the application has started.

    What is `beside` the application is entered just before that, and exited before it ends.
    """
    refusals = Refusals(app.state.problems)
    patience = Patience(settings.request_seconds, settings.stalled_seconds, app.state.measures.cut_slow_reader)
    config = uvicorn.Config(
        app,
        http=bounded_protocol(patience, refusals),
        timeout_keep_alive=settings.keep_alive_seconds,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # app.access.proxies
        timeout_graceful_shutdown=CLOSING_SECONDS,
    )

    def check() -> None:
        if _must_ask(settings, sockets) and not app.state.gate.is_locked:
            raise Misconfigured(_PUBLIC)

    use(config, Lifespan(app, check, begin, *beside))
    return config


def look_for_credentials(settings: Settings, sockets: Sequence[socket]) -> None:
    """Raise `Misconfigured` where others can connect and need none.

    It is looked for before a database is made that may not be the one that is meant.
    """
    if _must_ask(settings, sockets) and not keys.are_needed(settings):
        raise Misconfigured(_PUBLIC)


def _must_ask(settings: Settings, sockets: Sequence[socket]) -> bool:
    return is_public(sockets) and not settings.allow_anyone
