"""The parts that depend on the settings: what several instances share, who may come in, and how much is allowed.

What costs a tenth of a second to import, and most services do not need, is imported where it is made.
"""

import math
from typing import TYPE_CHECKING

from limits import RateLimitItemPerMinute

from app.access.budgets import WordBudgets
from app.access.grants import Verifier
from app.access.limits import Allowance
from app.bot_choice import own_proxy
from app.chat.bounds import Bounds, ReplyBounds
from app.chat.ports import SharedLogs
from app.chat.watching import Measures
from app.eventlog.unshared import Unshared
from app.settings import Settings
from app.storage.address import Address, PostgresServers, SqliteFile

if TYPE_CHECKING:
    from app.access.shared import SharedCounts
    from app.eventlog.server import ValkeyServer


def place(address: Address) -> dict[str, str]:
    """What to call the database, without what is secret."""
    match address:
        case SqliteFile():
            return {"kind": "SQLite", "file": str(address.path.absolute())}
        case PostgresServers():
            return {"kind": "PostgreSQL", "servers": address.shown, "name": address.database or ""}


def valkey_server(settings: Settings, address: Address) -> "ValkeyServer | None":
    """The server that instances share, if several are possible."""
    if settings.valkey_url is None:
        return None
    from app.eventlog.server import valkey_url  # noqa: PLC0415 - see above

    server = valkey_url(settings.valkey_url)
    return server if isinstance(address, PostgresServers) else None


def shared_logs(settings: Settings, server: "ValkeyServer | None", measures: Measures) -> SharedLogs:
    """The logs of other instances' replies, over the server if there is one."""
    if server is None:
        return Unshared()
    from app.eventlog.valkey import ValkeyLogs  # noqa: PLC0415 - see above

    return ValkeyLogs(server, settings.valkey_prefix, measures)


def shared_counts(settings: Settings, server: "ValkeyServer | None") -> "SharedCounts | None":
    """What is counted for several instances together, if anything is."""
    if server is None or not (settings.requests_per_minute or settings.streams_per_client):
        return None
    from app.access.shared import PATIENCE_SECONDS, SharedCounts  # noqa: PLC0415 - see above

    return SharedCounts(server.client(PATIENCE_SECONDS), settings.valkey_prefix)


def verifier(settings: Settings) -> Verifier | None:
    """What checks an issuer's tokens, if one is trusted."""
    if settings.jwt_issuer is None or settings.jwt_audience is None:
        return None
    from app.access.issuers import Issuer  # noqa: PLC0415 - see above
    from app.access.tokens import TokenVerifier  # noqa: PLC0415 - see above

    url = str(settings.jwt_keys_url)
    return TokenVerifier(
        Issuer(settings.jwt_issuer, settings.jwt_audience, url, settings.jwt_algorithms, proxy=own_proxy(url))
    )


def allowance(settings: Settings, words: WordBudgets | None) -> Allowance:
    """How much a client may have."""
    return Allowance(
        requests=RateLimitItemPerMinute(settings.requests_per_minute) if settings.requests_per_minute else None,
        streams=settings.streams_per_client,
        words=words,
    )


def bounds(settings: Settings, address: Address) -> Bounds:
    """How long and how large everything may become."""
    return Bounds(
        reply=ReplyBounds(
            characters=settings.max_reply_characters,
            silence_seconds=settings.bot_silence_seconds,
            seconds=settings.reply_seconds,
        ),
        is_shared=isinstance(address, PostgresServers),
        lease_seconds=settings.lease_seconds if isinstance(address, PostgresServers) else math.inf,
        open_streams=settings.max_open_streams,
        resume_window_seconds=settings.resume_window_seconds,
        unread_seconds=settings.unread_seconds,
        # Another instance may delete or replace what has ended here, so only the database knows what there is.
        retention_seconds=0 if isinstance(address, PostgresServers) else settings.retention_seconds,
        save_every_seconds=settings.save_every_seconds,
        history_messages=settings.history_messages,
        history_characters=settings.history_characters,
    )
