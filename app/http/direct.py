"""Routes for handlers that take the request and return the response themselves.

FastAPI's own route resolves dependencies, parses a body and serialises a result around every call. A streaming handler
needs none of it, and it would cost more than the rest of a short reply.
"""

from collections.abc import Awaitable, Callable
from typing import Any, get_type_hints

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access.gate import Gate

Endpoint = Callable[[Request], Awaitable[Response]]


class DirectRoute(APIRoute):
    """Calls `endpoint(request)` and the response it returns, nothing else; other handlers use FastAPI's own path."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401 - FastAPI's, passed on
        """As `APIRoute`; the annotations of `endpoint` decide whether it is called directly."""
        hints = get_type_hints(endpoint)
        result = hints.pop("return", None)
        self.is_direct = isinstance(result, type) and issubclass(result, Response) and list(hints.values()) == [Request]
        if not self.is_direct:
            super().__init__(path, endpoint, **options)
            return
        # What matches requests. FastAPI's analysis of the handler takes ten times as long, and serves only those who
        # ask for it, see `__getattr__`.
        Route.__init__(self, path, endpoint, include_in_schema=options["include_in_schema"])
        self.methods = set(options["methods"])  # Starlette's route adds HEAD to GET, FastAPI's does not
        self.app = _direct(endpoint)
        self._unanalysed = options

    def __getattr__(self, name: str) -> object:
        """Let FastAPI analyse the handler as soon as anybody asks for what that tells, as its document of the API does.

        Python asks here for what has not been set.
        """
        options = self.__dict__.pop("_unanalysed", None)
        if options is None:
            msg = f"{type(self).__name__!r} object has no attribute {name!r}"
            raise AttributeError(msg)
        app = self.app
        super().__init__(self.path, self.endpoint, **options)
        self.app = app
        return getattr(self, name)

    def guard(self, gate: Gate, *, is_stream: bool, may_repeat: bool) -> None:
        """Put the gate before the handler; `is_stream` and `may_repeat` describe the operation to it.

        Raises `TypeError` for a handler on FastAPI's own path, which would read the body first.
        """
        if not self.is_direct:
            msg = f"{self.name} takes no Request, so it cannot be guarded"
            raise TypeError(msg)
        self.app = _guarded(self.endpoint, gate, is_stream=is_stream, may_repeat=may_repeat)


def _direct(endpoint: Endpoint) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        response = await endpoint(Request(scope, receive, send))
        await response(scope, receive, send)

    return app


def _guarded(endpoint: Endpoint, gate: Gate, *, is_stream: bool, may_repeat: bool) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        admission = await gate.admit(scope, is_stream=is_stream, may_repeat=may_repeat)
        has_left = False

        async def send_and_leave(message: Message) -> None:
            """Leave before the last message, so that a client may open its next stream as soon as it sees the end."""
            nonlocal has_left
            if not (message.get("more_body") or message["type"] == "http.response.start" or has_left):
                has_left = True
                gate.leave(admission)
            await send(message)

        if not (is_stream and gate.counts_streams):
            response = await endpoint(Request(scope, receive, send))
            await response(scope, receive, send)
            return
        try:
            response = await endpoint(Request(scope, receive, send_and_leave))
            await response(scope, receive, send_and_leave)
        finally:
            if not has_left:
                gate.leave(admission)

    return app
