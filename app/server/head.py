"""What a request's head may be, where the parser lets more pass than RFC 9112 does.

Knows bytes and bounds; what is done about a head that breaks them is the connection's affair.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import httptools

from app.http.problems import RequestError

MOST_HEAD_BYTES = 65_536
MOST_FIELDS = 100
"""As many as Apache takes by default. A browser sends 20, and a chain of proxies adds as many again."""
MOST_TARGET_BYTES = 8_192
"""RFC 9112, section 3: a server should take request lines of 8,000 bytes. Ours need 300."""

_LONGEST_HOST = 261
"""A DNS name of 253 characters, a colon, a port, and room for brackets."""
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::[0-9]{0,5})?")

Headers = Sequence[tuple[bytes, bytes]]


class Target(NamedTuple):
    """What a request line names."""

    path: bytes
    query: bytes
    host: bytes | None
    """Of an absolute form; it counts instead of Host's (RFC 9112, section 3.2.2)."""


def checked_length(version: str, headers: Headers) -> int:
    """The length that a head announces for the body, or 0; names of headers are in lower case.

    Raises `RequestError` for a version, a Host or a framing that RFC 9112 does not let pass.
    """
    if not version.startswith("1."):
        raise RequestError("http-version-not-supported")
    length = 0
    hosts = 0
    codings: list[bytes] = []
    for name, value in headers:
        if name == b"host":
            hosts += 1
            if not _is_short_host(value):
                raise RequestError("malformed-request")
        elif name == b"content-length":
            length = int(value)  # the parser has seen to it that it is a number, and there once
        elif name == b"transfer-encoding":
            codings += [coding.strip().lower() for coding in value.split(b",")]
    if hosts > 1 or (hosts == 0 and version != "1.0"):
        raise RequestError("malformed-request")
    if codings and codings != [b"chunked"]:
        _refuse_codings(codings)
    if codings and version == "1.0":
        raise RequestError("malformed-request")  # RFC 9112, section 6.1: its framing is faulty
    return length


def parsed_target(target: bytes) -> Target:
    """Raises `RequestError` for one that is malformed."""
    try:
        parsed = httptools.parse_url(target)
    except httptools.HttpParserInvalidURLError:
        raise RequestError("malformed-request") from None
    host = None
    if parsed.host is not None:
        host = re.split(rb"[/?#]", target.partition(b"://")[2], maxsplit=1)[0]
        if not _is_short_host(host):
            raise RequestError("malformed-request")
    return Target(parsed.path or b"/", parsed.query or b"", host)


def _refuse_codings(codings: Sequence[bytes]) -> None:
    """RFC 9112: what is not understood is 501 (6.1), but where nobody can know the body's end, it is 400 (6.3)."""
    if codings[-1] != b"chunked" or b"chunked" in codings[:-1]:
        raise RequestError("malformed-request")
    raise RequestError("transfer-coding-not-implemented")


def _is_short_host(value: bytes) -> bool:
    return len(value) <= _LONGEST_HOST and _is_host(value)


@lru_cache(maxsize=1024)
def _is_host(value: bytes) -> bool:
    return _HOST.fullmatch(value) is not None
