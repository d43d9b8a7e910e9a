"""Routes for handlers that take the request and return the response themselves.

FastAPI's own route solves dependencies, parses a body and serialises a result around every call. A handler that streams
wants none of it, and it would cost more than the rest of a short reply.
"""

from collections.abc import Awaitable, Callable
from typing import Any, get_type_hints

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send


class DirectRoute(APIRoute):
    """Calls `endpoint(request)` and the response it returns, and nothing else; other handlers go FastAPI's way."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401 - FastAPI's, passed on
        """As `APIRoute`; `endpoint` decides by its annotation whether it is called directly."""
        super().__init__(path, endpoint, **options)
        hints = get_type_hints(endpoint)
        result = hints.pop("return", None)
        self.is_direct = isinstance(result, type) and issubclass(result, Response) and list(hints.values()) == [Request]
        if self.is_direct:
            self.app = _direct(endpoint)


def _direct(endpoint: Callable[[Request], Awaitable[Response]]) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        response = await endpoint(Request(scope, receive, send))
        await response(scope, receive, send)

    return app
