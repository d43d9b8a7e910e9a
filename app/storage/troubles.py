"""What a PostgreSQL server, or the way to it, has against being used: what is wrong, and the next step."""

import re
import socket
import ssl
from collections.abc import Callable, Iterable
from typing import Any

import asyncpg

from app.storage.address import PostgresServers

Told = tuple[str, str]
"""What is wrong, and the next step."""


def told_by_code(code: str, message: str, address: PostgresServers) -> Told:
    """By SQLSTATE."""
    user, database = address.user or "the user", address.database or "the database"
    names = [name for name in address.settings if f'"{name}"' in message]
    if "options" in address.settings:
        names.append("options")
    if names and code in {"42704", "42601", "22023", "08P01", "55P02"}:
        return f"the server does not accept the parameter {names[0]}", f"correct or remove {names[0]}"
    told = {
        "28P01": (f"the server refuses {user} or the password", "correct the user and the password"),
        "28000": _told_of_access(message, user),
        "3D000": (f"the server has no database {database}", "create it, or correct the name"),
        "3F000": (
            "none of the schemas in search_path exists, or the user may not use them",
            "create the schema, or grant USAGE and CREATE on it",
        ),
        "42501": (
            f"{user} may not create tables",
            f"GRANT USAGE, CREATE ON SCHEMA public TO {user}, or let the database belong to it",
        ),
        "25006": (
            "the server is read-only, as a standby is",
            "name the primary; or all servers, as @HOST1:PORT1,HOST2:PORT2",
        ),
        "53100": ("the server's disk is full", "free space there"),
        "53300": (
            "the server takes no more connections",
            "raise max_connections, stop other clients, or use a pooler; each instance needs up to 16",
        ),
        "53400": ("the server is at one of its limits", "raise the limit for this user or database"),
        "55000": (f"the database {database} takes no connections", "allow them, or name another database"),
        "57P03": (f"the server at {address.shown} is starting up or shutting down", "start again in a moment"),
        "08P01": (
            f"the pooler or server at {address.shown} refuses the connection (08P01)",
            "check user, database and parameters; its log says why",
        ),
    }
    if code in told:
        return told[code]
    if code[:2] in {"08", "57"}:
        return f"the server at {address.shown} has closed the connection ({code})", "start again in a moment"
    return f"the server at {address.shown} reports an error ({code})", "see the server's log"


def _told_of_access(message: str, user: str) -> Told:
    if "pg_hba.conf" in message:
        if re.search(r"no encryption|SSL off", message):
            return "the server requires TLS", "add ?sslmode=require"
        return f"the server does not let {user} in from this machine", "allow it in pg_hba.conf, or at your host"
    if "does not exist" in message:
        return f"the server has no user {user}", "create the user, or correct the name"
    return f"the server refuses {user}", "correct the user and the password"


def told_of_network(causes: Iterable[BaseException], address: PostgresServers) -> Told | None:
    """Where no server has said anything yet."""
    for cause in causes:
        for kind, told in _NETWORK:
            if isinstance(cause, kind):
                return told(cause, address.shown)
    return None


_Tell = Callable[[Any, str], Told]
_NETWORK: tuple[tuple[type[BaseException], _Tell], ...] = (
    (
        ssl.SSLCertVerificationError,
        lambda error, where: (
            f"the certificate of {where} is not trusted ({error.verify_message})",
            "name the authority's certificate as sslrootcert=FILE, and the host as the certificate does",
        ),
    ),
    (
        ssl.SSLError,
        lambda error, where: (f"TLS with {where} fails ({error.reason})", "check the certificates, and sslmode"),
    ),
    (
        socket.gaierror,
        lambda _, where: (
            f"there is no host {where}",
            "correct the name, or start again when it can be resolved",
        ),
    ),
    (
        TimeoutError,
        lambda _, where: (
            f"{where} does not answer",
            "check the address and firewalls; connect_timeout=SECONDS waits longer",
        ),
    ),
    (
        ConnectionRefusedError,
        lambda _, where: (f"no server listens at {where}", "start the server, or correct host and port"),
    ),
    (
        FileNotFoundError,
        lambda _, where: (f"no server listens on a socket at {where}", "start the server, or correct the folder"),
    ),
    (
        asyncpg.TargetServerAttributeNotMatched,
        lambda _, where: (
            f"none of {where} is what target_session_attrs asks for",
            "name the primary too, or wait until there is one",
        ),
    ),
    (
        asyncpg.ClientConfigurationError,
        lambda *_: ("the driver does not understand a parameter", "see docs/operators.md for what it takes"),
    ),
    (
        ConnectionError,
        lambda error, where: (
            (f"{where} does not speak TLS", "use sslmode=disable or prefer, or set up TLS at the server")
            if "SSL" in str(error)
            else (f"{where} has closed the connection", "see the server's log, and start again")
        ),
    ),
    (
        OSError,
        lambda error, where: (
            f"{where} cannot be reached ({error.strerror or type(error).__name__})",
            "check host and network",
        ),
    ),
    (
        AssertionError,  # of SQLAlchemy, which does not know what the version means
        lambda _, where: (
            f"{where} is no PostgreSQL server",
            "use PostgreSQL: what only resembles it is not supported",
        ),
    ),
)
