"""Answers to what never becomes a request: written by the connection, for no application gets to see it."""

import secrets
from collections.abc import Iterable

import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from app.access.origins import SECURITY
from app.http.problems import Problems, RequestError

_log = structlog.get_logger()


class Refusals:
    """Problems as all others are, and the last answer on their connection."""

    def __init__(self, problems: Problems) -> None:
        """What is said is the contract's."""
        self._problems = problems

    def answer(self, error: RequestError, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """The whole answer; `headers` are those that every answer of the server has. It is logged."""
        response = self._problems.response(error)
        request_id = secrets.token_hex(16)
        _log.info("request refused", problem=error.code, status=response.status_code, request_id=request_id)
        lines = (
            *headers,
            *response.raw_headers,
            (b"x-request-id", request_id.encode()),
            *SECURITY,
            (b"connection", b"close"),
        )
        head = b"".join(b"%b: %b\r\n" % line for line in lines)
        return b"%b%b\r\n%b" % (STATUS_LINE[response.status_code], head, bytes(response.body))
