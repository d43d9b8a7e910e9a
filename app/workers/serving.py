"""`python -m app --workers N`: what can be checked before there are workers, then the workers."""

import asyncio
import signal
import sys
from collections.abc import Sequence
from socket import socket

from app.announcement import announce
from app.chat.errors import Misconfigured
from app.main import create_app
from app.scraping import bound_for_metrics, metrics_url
from app.server.listening import bound, inherited, listen, url
from app.serving import look_for_credentials
from app.settings import Settings
from app.workers.channel import Ready
from app.workers.counting import SharedMetrics
from app.workers.supervisor import Supervisor


def serve_with_workers(settings: Settings) -> int:
    """Serve with several processes, until a signal comes. Returns the exit status.

    Raises `CannotStart`, and whatever else keeps the workers from starting.
    """
    if sys.platform == "win32":
        raise Misconfigured(
            "CHAT_WORKERS: several workers are not supported on Windows. Next: CHAT_WORKERS=1; or start several "
            "instances, each with a CHAT_PORT of its own"
        )
    if settings.bot == "local":
        raise Misconfigured(
            "CHAT_WORKERS: with CHAT_BOT=local, each worker would load the model, which uses all cores by itself. "
            "Next: CHAT_WORKERS=1; or CHAT_BOT=openai, with one llama.cpp server for all workers"
        )
    app = create_app(settings)  # to say what is wrong with the settings once, and not in each worker
    if app.state.database["kind"] != "PostgreSQL":
        raise Misconfigured(
            "CHAT_WORKERS: several workers share a PostgreSQL database; SQLite is for one process. "
            "Next: CHAT_DATABASE_URL=postgresql://USER@HOST/NAME, or CHAT_WORKERS=1"
        )
    sockets = inherited() or bound(settings.host, settings.port)
    for_metrics: list[socket] = []

    def begin(first: Ready, pids: Sequence[int]) -> None:
        listen(sockets, settings.host)
        announce(
            settings,
            url(sockets, settings.host),
            app.state.database,
            has_keys=first.has_keys,
            workers=pids,
            metrics=metrics_url(settings, for_metrics),
        )

    try:
        look_for_credentials(settings, sockets)
        for_metrics = bound_for_metrics(settings)
        metrics = SharedMetrics(settings, for_metrics)
        ended_by = asyncio.run(Supervisor(settings, sockets, begin, metrics).run())
    finally:
        for listener in [*sockets, *for_metrics]:
            listener.close()
    if ended_by is not None:
        signal.raise_signal(ended_by)  # so that it has the effect on the exit status that it has without workers
    return 0
