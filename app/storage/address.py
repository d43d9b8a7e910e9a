"""Reads `CHAT_DATABASE_URL`: a SQLite file, or PostgreSQL in any of the forms that hosts and tools hand out.

The driver parses most of a PostgreSQL URL itself. Here is what it cannot do: parameters of other clients, which it
would send to the server as settings; passwords that are not escaped; and several servers, each with a time of its own.
"""

import logging
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, quote, unquote, urlsplit

from app.chat.errors import Misconfigured
from app.storage.parameters import DRIVERS, IGNORED, NO_STATEMENTS, OTHER_NAMES, SSL_MODES, UNSUPPORTED

SETTING = "CHAT_DATABASE_URL"

_SQLITE = re.compile(r"sqlite(\+\w+)?:///(?P<file>.*)", re.DOTALL)
_POSTGRESQL = re.compile(r"postgres(ql)?(\+\w+)?://", re.IGNORECASE)
_SERVER = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%\w]+\]|[^:\[\]]*)(:(?P<port>[0-9]*))?")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")

_SYSTEM = "system"
"""As `sslrootcert`: the certificate authorities of the operating system (libpq 16)."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """A database in a file."""

    path: Path
    kind: Literal["sqlite"] = "sqlite"

    @property
    def shown(self) -> str:
        """What operators call it."""
        return str(self.path)


@dataclass(frozen=True, slots=True)
class PostgresServers:
    """A database that one server of these has, or several as primary and standbys."""

    urls: tuple[str, ...] = field(repr=False)
    """For the driver, one a server. There is a password in it."""
    shown: str
    """The servers' names, for operators."""
    database: str | None
    user: str | None
    files: tuple[tuple[str, str], ...] = ()
    """Certificates and keys that have to be there, by parameter."""
    trusts_system: bool = False
    """Whether certificates are checked against the authorities of the operating system."""
    connect_seconds: float | None = None
    prepares: bool = True
    """Whether prepared statements may be kept, unless there turns out to be a connection pooler."""
    settings: tuple[str, ...] = ()
    """Names of parameters that go to the server."""
    kind: Literal["postgresql"] = "postgresql"


Address = SqliteFile | PostgresServers


def database_url(text: str) -> Address:
    """Where the database is.

    Raises `Misconfigured`; its text has nothing of what might be a password.
    """
    if match := _SQLITE.fullmatch(text):
        return _sqlite_file(match["file"])
    if match := _POSTGRESQL.match(text):
        return _postgres_servers(text[match.end() :])
    raise _wrong("this is no database that is supported", "use sqlite:///FILE or postgresql://USER@HOST/NAME")


def _wrong(what: str, next_step: str) -> Misconfigured:
    return Misconfigured(f"{SETTING}: {what}. Next: {next_step}.")


def _sqlite_file(file: str) -> SqliteFile:
    if not file or file == ":memory:" or "\0" in file:
        raise _wrong("conversations are stored in a file, and none is named", "use sqlite:///FILE")
    if "?" in file or file.startswith("file:"):
        raise _wrong("SQLite takes a path, and no parameters", "use sqlite:///FILE")
    return SqliteFile(Path(file))


def _postgres_servers(rest: str) -> PostgresServers:
    parts = _parts(rest)
    credentials, _, named = parts.netloc.rpartition("@")  # an @ in a password is not always escaped
    user, colon, password = (unquote(part) for part in credentials.partition(":"))
    query = _query(parts.query)
    servers = _servers(named, query)
    known, settings = _sorted(query)
    connect_seconds = _seconds(known.pop("connect_timeout", None))
    prepares = not any(known.pop(name, "").lower() in values for name, values in NO_STATEMENTS.items())
    _choose_tls(known)
    trusts_system = known.get("sslrootcert") == _SYSTEM
    if trusts_system:
        del known["sslrootcert"]
    if len(servers) > 1:
        known.setdefault("target_session_attrs", "read-write")  # there may be standbys among them
    database = unquote(parts.path.removeprefix("/")) or known.get("dbname") or known.get("database")
    return PostgresServers(
        urls=tuple(
            _url(
                quote(user, safe="") + (colon and ":" + quote(password, safe="")), server, parts.path, known | settings
            )
            for server in servers
        ),
        shown=", ".join(host + (f":{port}" if port else "") for host, port in servers) or "the local server",
        database=database,
        user=user or known.get("user"),
        files=tuple((name, known[name]) for name in ("sslrootcert", "sslcert", "sslkey", "sslcrl") if known.get(name)),
        trusts_system=trusts_system,
        connect_seconds=connect_seconds,
        prepares=prepares,
        settings=tuple(settings),
    )


def _parts(rest: str) -> SplitResult:
    """The URL in parts, where it is clear which are which."""
    unclear = _wrong(
        "the URL cannot be told apart from its password",
        "write characters such as / # ? [ ] of the password as %2F %23 %3F %5B %5D",
    )
    try:
        parts = urlsplit("postgresql://" + rest)
    except ValueError:  # brackets
        raise unclear from None
    if "@" in parts.path or parts.fragment or "\0" in rest or ("@" in parts.query and ":" in parts.netloc):
        raise unclear
    return parts


def _query(text: str) -> list[tuple[str, str]]:
    """Names and values, as libpq reads them: a plus sign is a plus sign."""
    pairs = [pair.partition("=") for pair in text.split("&") if pair]
    found = [(unquote(name), unquote(value)) for name, _, value in pairs]
    if not all(_PARAMETER.fullmatch(name) for name, _ in found):
        raise _wrong("a parameter has no name", "write parameters as ?name=value&name=value")
    return [(OTHER_NAMES.get(name, name), value) for name, value in found if value]


def _servers(named: str, query: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Hosts, which may be folders of sockets, and their ports."""
    hosts = named or ",".join(value for name, value in query if name == "host")
    ports = next((value for name, value in query if name == "port"), "").split(",")
    servers = []
    for text in (unquote(host) for host in hosts.split(",")):
        match = None if text.startswith("/") else _SERVER.fullmatch(text)
        if not match and not text.startswith("/"):
            raise _wrong(
                "what follows the host is not a port", "write @HOST:PORT; in the password, write : as %3A and / as %2F"
            )
        servers.append((match["host"], match["port"] or "") if match else (text, ""))
    if len(servers) > 1 and not all(host for host, _ in servers):
        raise _wrong("one of the hosts has no name", "write @HOST1:PORT1,HOST2:PORT2")
    if len(ports) not in {1, len(servers)} or not all(port.isdecimal() or not port for port in ports):
        raise _wrong("the ports do not fit the hosts", "write @HOST1:PORT1,HOST2:PORT2")
    ports *= 1 if len(ports) > 1 else len(servers)
    return [(host, own or port) for (host, own), port in zip(servers, ports, strict=True)]


def _sorted(query: list[tuple[str, str]]) -> tuple[dict[str, str], dict[str, str]]:
    """What a client takes, and what is for the server."""
    known: dict[str, str] = {}
    settings: dict[str, str] = {}
    ignored: list[str] = []
    for name, value in query:
        if name in UNSUPPORTED and value not in UNSUPPORTED[name]:
            raise _wrong(f"the driver cannot do what {name} asks for", f"remove {name}, and use sslmode=verify-full")
        if name in IGNORED:
            ignored.append(name)
        elif name in DRIVERS or name in NO_STATEMENTS or name in {"connect_timeout", "ssl"}:
            known[name] = value
        elif name not in {"host", "port"}:
            settings[name] = value
    if ignored:
        _logger.info("%s: ignored %s", SETTING, ", ".join(ignored))
    return known, settings


def _seconds(text: str | None) -> float | None:
    try:
        seconds = float(text or 0)
    except ValueError:
        raise _wrong("connect_timeout is not a number", "write seconds, such as connect_timeout=10") from None
    return seconds if seconds > 0 else None


def _choose_tls(known: dict[str, str]) -> None:
    """Put the mode under the driver's name, and say against what certificates are checked."""
    mode = known.pop("ssl", None)
    mode = known.get("sslmode", mode)
    if mode is None:
        return
    mode = SSL_MODES.get(mode.lower(), mode).replace("_", "-")
    if mode not in {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}:
        raise _wrong("sslmode has an unknown value", "use disable, allow, prefer, require, verify-ca or verify-full")
    known["sslmode"] = mode
    if mode == "verify-full" and not _has_own_authority(known):
        known["sslrootcert"] = _SYSTEM


def _has_own_authority(known: dict[str, str]) -> bool:
    """Whether it is said, here or where libpq looks too, which authority signs the server's certificate."""
    return (
        bool(known.get("sslrootcert") or os.environ.get("PGSSLROOTCERT"))
        or (Path.home() / ".postgresql" / "root.crt").exists()
    )


def _url(credentials: str, server: tuple[str, str], path: str, parameters: dict[str, str]) -> str:
    host, port = server
    query = dict(parameters)
    if host.startswith("/"):
        query |= {"host": host} | ({"port": port} if port else {})
        host = port = ""
    # The driver overlooks a port among the parameters where the host is not among them.
    netloc = (credentials and credentials + "@") + quote(host, safe="[]:%") + (port and ":" + port)
    text = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
    return f"postgresql://{netloc}{path}" + (text and "?" + text)
