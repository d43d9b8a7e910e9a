"""A Valkey or Redis server: reads `CHAT_VALKEY_URL`, connects with bounded waits, and says once what goes wrong."""

import asyncio
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, AuthorizationError, RedisError, ResponseError

from app.chat.errors import Misconfigured
from app.chat.watching import UNMEASURED, Measures

SETTING = "CHAT_VALKEY_URL"

_SECONDS = 2.0
"""Longest time that a connection, or an answer, may take."""

_SCHEMES = {"redis": False, "valkey": False, "rediss": True, "valkeys": True}
_DEFAULT_PORT = 6379
_CHECKS = {"none", "optional", "required"}
_PARAMETERS = {"db", "ssl_ca_certs", "ssl_cert_reqs", "ssl_certfile", "ssl_keyfile"}
_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")

TROUBLE = (RedisError, OSError, TimeoutError, asyncio.TimeoutError)
"""What the client library raises if the server does not answer, or answers with an error."""

WRONG_TYPE = "WRONGTYPE"
"""Code of the error about a key that is of another type: another program has written it."""

_CODE = re.compile(rb"[A-Z]+\b")

_logger = logging.getLogger(__name__)


class Refused(RedisError):
    """The server does not take an entry: it is out of memory (`OOM`), perhaps, or a replica by now (`READONLY`)."""

    def __init__(self, error: bytes) -> None:
        """`error` is the server's."""
        code = _CODE.match(error)
        super().__init__(code[0].decode() if code else "ERR")


@dataclass(frozen=True, slots=True)
class ValkeyServer:
    """Where the server is."""

    shown: str
    """What operators call it."""
    options: dict[str, Any] = field(repr=False)
    """For the client library's connections. A password may be among them."""
    uses_tls: bool = False

    def client(self, answer_seconds: float = _SECONDS) -> Redis:
        """A client with a pool of its own. Nothing is retried: whoever calls knows better what to repeat, and when."""
        kind: type[AbstractConnection] = _Plain
        if self.uses_tls:
            kind = _Tls
        elif "path" in self.options:
            kind = _Local
        pool = ConnectionPool(
            connection_class=kind,
            **self.options,
            protocol=2,  # understood by every version and by proxies
            socket_timeout=answer_seconds,
            socket_connect_timeout=_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        return Redis.from_pool(pool)


class _Cancellable(AbstractConnection):
    """Does not lose a cancellation that comes while a command is being sent.

    The client library uses `asyncio.wait_for`, which before Python 3.12 returns normally if it is cancelled when what
    it waits for is done. A task that is cancelled then would go on, and whoever waits for its end would wait for ever.
    (https://github.com/python/cpython/issues/86296)
    """

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:  # noqa: ANN401, FBT001, FBT002 - the library's
        task = asyncio.current_task()
        before = task.cancelling() if task else 0
        await super().send_packed_command(command, check_health)
        if task and task.cancelling() > before:
            await self.disconnect(nowait=True)  # nobody reads the answer
            raise asyncio.CancelledError


class _Plain(_Cancellable, Connection):
    pass


class _Tls(_Cancellable, SSLConnection):
    pass


class _Local(_Cancellable, UnixDomainSocketConnection):
    pass


def valkey_url(text: str) -> ValkeyServer:
    """Where the server is.

    Raises `Misconfigured`; its text has nothing of what might be a password.
    """
    try:
        url = urlsplit(text)
        if "," in url.netloc.rpartition("@")[2]:
            raise _wrong(
                "several servers are named, but there can be one", "name the primary, or a proxy in front of it"
            )
        port = url.port
    except ValueError:
        raise _wrong(
            "the address cannot be read", "escape special characters of the password, such as %40 for @"
        ) from None
    scheme = url.scheme.lower()
    if scheme == "unix":
        return _socket(url)
    if scheme not in _SCHEMES:
        raise _wrong("this is no server that is supported", "use redis://HOST or, with TLS, rediss://HOST")
    if not url.hostname:
        raise _wrong("the address has no host", f"use {scheme}://HOST")
    host = unquote(url.hostname)
    options = _credentials(url) | _parameters(url) | {"host": host, "port": port or _DEFAULT_PORT}
    if (database := url.path.strip("/")) and "db" not in options:
        options["db"] = _number(database)
    uses_tls = _SCHEMES[scheme]
    if not uses_tls and any(name.startswith("ssl_") for name in options):
        raise _wrong("it has parameters for TLS, but its scheme is without TLS", "use rediss://")
    return ValkeyServer(f"{host}:{port or _DEFAULT_PORT}", options, uses_tls)


async def check(client: Redis, server: ValkeyServer) -> None:
    """Ask for a sign of life.

    Raises `Misconfigured` if the server refuses the password or is part of a cluster. One that does not answer may come
    back, so that is only logged.
    """
    try:
        await client.ping()
        information = await _cluster(client)
    except (AuthenticationError, AuthorizationError):
        raise _wrong("the server refuses the password, or the user", "correct them in the address") from None
    except TROUBLE as error:
        if str(error).startswith(("NOAUTH", "NOPERM")) or "without any password" in str(error):
            raise _wrong("the server refuses the password, or the user", "correct them in the address") from None
        _logger.warning(
            "%s: %s does not answer (%s). Until it does, replies of other instances come as the database has them",
            SETTING,
            server.shown,
            type(error).__name__,
        )
    else:
        if information.get("cluster_enabled"):
            raise _wrong("the server is part of a cluster, which is not supported", "use a server without cluster mode")


async def _cluster(client: Redis) -> dict[str, Any]:
    try:
        return await client.info("cluster")
    except ResponseError:
        return {}  # a user without the right to ask


class Availability:
    """Whether the server does what it is for; logs when that changes."""

    def __init__(self, server: ValkeyServer, measures: Measures = UNMEASURED) -> None:
        """It is expected to."""
        self._measures = measures
        self.is_up = True
        measures.log_is_up(is_up=True)
        self._refuses_writes = False
        self._server = server

    @contextmanager
    def watched(self, *, writes: bool = False) -> Iterator[None]:
        """Around an exchange with the server. What it raises is logged, the first time, and passed on."""
        try:
            yield
        except TROUBLE as error:
            self._refuses_writes = self._refuses_writes or isinstance(error, Refused)
            if self.is_up:
                self.is_up = False
                self._measures.log_is_up(is_up=False)
                # The kind only: a server's message may repeat what it was sent.
                kind = str(error) if isinstance(error, Refused) else type(error).__name__
                _logger.error("%s cannot be used: %s", self._server.shown, kind)  # noqa: TRY400
            raise
        if writes:
            self._refuses_writes = False
        if not self.is_up and not self._refuses_writes:  # a server that is full can still be read
            self.is_up = True
            self._measures.log_is_up(is_up=True)
            _logger.info("%s can be used again", self._server.shown)


def _wrong(what: str, next_step: str) -> Misconfigured:
    return Misconfigured(f"{SETTING}: {what}. Next: {next_step}.")


def _credentials(url: SplitResult) -> dict[str, Any]:
    given = {"username": url.username, "password": url.password}
    return {name: unquote(value) for name, value in given.items() if value}


def _socket(url: SplitResult) -> ValkeyServer:
    if not url.path:
        raise _wrong("the address has no path", "use unix:///PATH")
    options = _credentials(url) | _parameters(url)
    return ValkeyServer(unquote(url.path), options | {"path": unquote(url.path)})


def _parameters(url: SplitResult) -> dict[str, Any]:
    options: dict[str, Any] = dict(parse_qsl(url.query, keep_blank_values=True))
    for name in options:
        if name not in _PARAMETERS:
            raise _wrong(f"the parameter {name} is unknown", f"use only {', '.join(sorted(_PARAMETERS))}")
    if "db" in options:
        options["db"] = _number(str(options["db"]))
    if options.get("ssl_cert_reqs", "none") not in _CHECKS:
        raise _wrong("ssl_cert_reqs has an unknown value", f"use {', '.join(sorted(_CHECKS))}")
    if options.get("ssl_cert_reqs", "required") != "required":
        options["ssl_check_hostname"] = False
    for name in _FILES:
        if name in options and not Path(str(options[name])).is_file():
            raise _wrong(f"there is no file {options[name]}, which {name} names", "correct the path")
    return options


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise _wrong("the database is not a number", "use redis://HOST/0")
    return int(text)
