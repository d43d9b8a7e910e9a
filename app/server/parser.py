"""httptools' parser, configured, and with protocol upgrades ignored.

An offer to upgrade (mostly to HTTP/2) is ignored, and the request is answered. RFC 9110, section 7.8, allows this, but
httptools then takes the body for data of the other protocol, and uvicorn drops it. Java's HttpClient makes that offer
by default, and so does `curl --http2`.
"""

from collections.abc import Iterable

import httptools

_OFFER = {b"upgrade", b"http2-settings"}


def new_parser(protocol: object) -> httptools.HttpRequestParser:
    """A parser that calls `protocol.on_...`. It accepts any HTTP version, so that the caller can refuse it properly."""
    parser = httptools.HttpRequestParser(protocol)
    parser.set_dangerous_leniencies(lenient_data_after_close=True, lenient_version=True)
    return parser


def offers_upgrade(parser: httptools.HttpRequestParser) -> bool:
    """Whether the client offers a protocol upgrade. The parser also treats CONNECT as one."""
    return parser.should_upgrade() and parser.get_method() != b"CONNECT"


def without_offer(parser: httptools.HttpRequestParser, target: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The head of the current request without its offer, for a new parser."""
    lines = [b"%b %b HTTP/%b" % (parser.get_method(), target, parser.get_http_version().encode())]
    for name, value in headers:
        if name == b"connection":
            options = [option for option in value.split(b",") if option.strip().lower() not in _OFFER]
            lines.append(b"connection: " + b",".join(options))
        elif name not in _OFFER:
            lines.append(name + b": " + value)
    return b"\r\n".join([*lines, b"", b""])


def fault(parser: httptools.HttpRequestParser) -> str:
    """The code of the problem for what the parser has just refused."""
    major = parser.get_http_version().partition(".")[0]
    return "http-version-not-supported" if int(major) > 1 else "malformed-request"
