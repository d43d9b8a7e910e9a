"""Connections to PostgreSQL: to the first server of several that can be written to, with or without a pooler between.

A pooler in transaction mode (PgBouncer, and what hosts offer under other names) gives each transaction to whatever
session is free. So nothing may be left in a session: no prepared statement with a name, and nothing is asked outside of
a transaction.
"""

import ssl
import time
from typing import Any

import asyncpg
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.engine import URL

from app.storage.address import PostgresServers

_STATEMENTS = 100
"""So many prepared statements a connection keeps, where it may."""
_NAME = "postgresql.chat_asyncpg"

_ELSEWHERE = (
    OSError,  # TimeoutError is one
    asyncpg.CannotConnectNowError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.PostgresConnectionError,
    asyncpg.TargetServerAttributeNotMatched,
    asyncpg.TooManyConnectionsError,
)
"""After these, another server may be better."""


class BehindPooler(Exception):
    """What answers is not the server itself, and the connection keeps statements that it must not keep."""


class Connector:
    """Makes connections. Remembers which server was the right one, and whether there is a pooler."""

    def __init__(self, servers: PostgresServers, patience_seconds: float, *, is_hurried: bool = True) -> None:
        """A connection may take `patience_seconds`, unless the address says otherwise; a statement too, if hurried."""
        self.prepares = servers.prepares
        self._servers = servers
        self._first = 0
        self._trusted_since = 0.0
        self._connect_seconds = servers.connect_seconds or patience_seconds
        self._statement_seconds = patience_seconds if is_hurried else None

    def distrust(self) -> None:
        """The database did not answer: connections that were made before now may be dead, and not know it."""
        self._trusted_since = time.monotonic()

    def trusts(self, made_at: float) -> bool:
        """Whether a connection that was made at that time, of the monotonic clock, may be used."""
        return made_at >= self._trusted_since

    async def connect(self) -> asyncpg.Connection:
        """Raises what the driver does for the server that was tried last, and `BehindPooler` once."""
        urls = self._servers.urls
        for turn in range(len(urls)):
            index = (self._first + turn) % len(urls)
            try:
                # Of several, one that is gone without a word must leave time for the others.
                connection = await self._connect_to(urls[index], self._connect_seconds / len(urls))
            except _ELSEWHERE:
                if turn == len(urls) - 1:
                    raise
            else:
                self._first = index
                return connection
        raise AssertionError("there is at least one server")

    async def _connect_to(self, url: str, seconds: float) -> asyncpg.Connection:
        connection = await asyncpg.connect(
            url,
            timeout=seconds,
            command_timeout=self._statement_seconds,
            statement_cache_size=_STATEMENTS if self.prepares else 0,
            ssl=self._tls(),
        )
        try:
            await self._look_for_pooler(connection)
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def _look_for_pooler(self, connection: asyncpg.Connection) -> None:
        """A pooler does not tell the number of the server's process: its next transaction may be another one's."""
        if self.prepares:
            # Without parameters it is one message, which no pooler tears apart.
            status = await connection.execute(f"SELECT WHERE pg_backend_pid() = {connection.get_server_pid():d}")
            if status == "SELECT 0":
                self.prepares = False
                raise BehindPooler

    def _tls(self) -> ssl.SSLContext | None:
        """`None` leaves it to the driver, which knows no authorities but those in files."""
        if not self._servers.trusts_system:
            return None
        context = ssl.create_default_context()
        files = dict(self._servers.files)
        if "sslcert" in files:
            context.load_cert_chain(files["sslcert"], files.get("sslkey"))
        return context


class Dialect(PGDialect_asyncpg):
    """As SQLAlchemy's for the driver, but that it connects as we want."""

    supports_statement_cache = True

    @classmethod
    def register(cls) -> URL:
        """The URL by which SQLAlchemy finds it; where the database is says the `connector` in `connect_args`."""
        registry.register(_NAME, cls.__module__, cls.__qualname__)
        return URL.create(_NAME.replace(".", "+"))

    def connect(self, *_: object, connector: Connector) -> Any:  # noqa: ANN401 - a DBAPI connection has no common type
        """A connection, as SQLAlchemy wants them."""
        try:
            return self._connect(connector)
        except BehindPooler:
            return self._connect(connector)

    def _connect(self, connector: Connector) -> Any:  # noqa: ANN401 - as above
        return self.loaded_dbapi.connect(
            async_creator_fn=connector.connect,
            prepared_statement_cache_size=_STATEMENTS if connector.prepares else 0,
        )

    def on_connect(self) -> None:
        """Nothing: SQLAlchemy would ask for types that we do not use, and outside of a transaction."""
