"""Responses to malformed requests: the connection writes them, because the application never sees such a request."""

import secrets
from collections.abc import Iterable

import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from app.access.origins import SECURITY
from app.http.problems import Problems, RequestError

_log = structlog.get_logger()


class Refusals:
    """Creates problem responses, each the last one on its connection."""

    def __init__(self, problems: Problems) -> None:
        """`problems` are the contract's."""
        self._problems = problems

    def answer(self, error: RequestError, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """The complete response, which is also logged; `headers` are those of every response of the server."""
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
