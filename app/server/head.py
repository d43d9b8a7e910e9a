"""Checks a request's head where the parser is more lenient than RFC 9112.

Knows bytes and limits; how to respond to an invalid head is up to the connection.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import httptools

from app.http.problems import RequestError

MOST_HEAD_BYTES = 65_536
MOST_FIELDS = 100
"""Apache's default limit. A browser sends 20, and a chain of proxies adds about as many."""
MOST_TARGET_BYTES = 8_192
"""RFC 9112, section 3: a server should support request lines of 8,000 bytes. Ours need 300."""

_LONGEST_LENGTH = 20
"""In digits: the parser counts in 64 bits, so any digits before the last 20 are zeros."""
_LONGEST_HOST = 261
"""A DNS name of 253 characters, a colon, a port, and room for brackets."""
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::[0-9]{0,5})?")

Headers = Sequence[tuple[bytes, bytes]]


class Target(NamedTuple):
    """The parsed target of a request line."""

    path: bytes
    query: bytes
    host: bytes | None
    """The host of an absolute-form target, which overrides the Host header (RFC 9112, section 3.2.2)."""


def checked_length(version: str, headers: Headers) -> int:
    """The body's announced length, or 0; header names must be in lower case.

    Raises `RequestError` for a version, a Host or a framing that RFC 9112 forbids, and for a head that is too large.
    """
    if not version.startswith("1."):
        raise RequestError("http-version-not-supported")
    if len(headers) > MOST_FIELDS:
        raise RequestError("head-too-large")
    length = size = 0
    hosts: list[bytes] = []
    codings: list[bytes] = []
    for name, value in headers:
        size += len(name) + len(value) + 4  # ": " and the end of the line
        if name == b"host":
            hosts.append(value)
        elif name == b"content-length":
            length = int(value[-_LONGEST_LENGTH:])  # the parser has checked that it is one number
        elif name == b"transfer-encoding":
            codings += [coding.strip().lower() for coding in value.split(b",")]
    if size > MOST_HEAD_BYTES:
        raise RequestError("head-too-large")
    if len(hosts) > 1 or not (_is_short_host(hosts[0]) if hosts else version == "1.0"):
        raise RequestError("malformed-request")
    if codings:
        _check_codings(codings, version)
    return length


def checked_target(target: bytes) -> Target:
    """Parse a target. Raises `RequestError` if it is malformed or too long."""
    if len(target) > MOST_TARGET_BYTES:
        raise RequestError("target-too-long")
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


def too_large(target: bytes) -> RequestError:
    """The error for a head that exceeds the limit before it is complete."""
    return RequestError("target-too-long" if len(target) > MOST_TARGET_BYTES else "head-too-large")


def _check_codings(codings: Sequence[bytes], version: str) -> None:
    """RFC 9112, 6.1 and 6.3: an unknown coding is 501; if the end of the body cannot be determined, it is 400."""
    if version == "1.0" or codings[-1] != b"chunked" or b"chunked" in codings[:-1]:
        raise RequestError("malformed-request")
    if len(codings) > 1:
        raise RequestError("transfer-coding-not-implemented")


def _is_short_host(value: bytes) -> bool:
    return len(value) <= _LONGEST_HOST and _is_host(value)


@lru_cache(maxsize=1024)
def _is_host(value: bytes) -> bool:
    return _HOST.fullmatch(value) is not None
