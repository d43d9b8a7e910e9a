"""For every request: an id, one line in the access log, and a problem when an exception is raised.

One layer of pure ASGI that buffers nothing.
"""

import re
import time
import traceback
from collections.abc import Callable, Mapping, Sequence

import structlog
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access.origins import SECURITY, Headers, Origins
from app.chat.errors import ChatError
from app.chat.ids import new_id
from app.chat.requests import Origin
from app.http.problems import Problems, RequestError

_Log = structlog.typing.FilteringBoundLogger

_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


class EveryRequest:
    """Wraps the whole application."""

    def __init__(
        self,
        app: ASGIApp,
        problems: Callable[[str], Problems],
        allowed_methods: Callable[[str], Sequence[str]],
        origins: Origins,
        checks: Sequence[Callable[[Scope], None]],
    ) -> None:
        """`problems` and `allowed_methods` are a path's; `origins` decides which sites' pages may read responses.

        The `checks` run first for each request; they raise `RequestError`.
        """
        self._app = app
        self._problems = problems
        self._allowed_methods = allowed_methods
        self._origins = origins
        self._checks = tuple(checks)
        self._bound_log: _Log | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle HTTP; pass other scopes through unchanged."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_at = time.perf_counter()
        request_id = scope["chat.request_id"] = new_id(time.time_ns() // 1_000_000)
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode()),
                    *SECURITY,
                    *self._origins.response_headers(scope["headers"]),
                    *scope.get("chat.headers", ()),
                ]
            await send(message)

        try:
            for check in self._checks:
                check(scope)
            app = self._origins.preflight(scope["method"], scope["headers"]) or self._app
            await app(scope, receive, send_with_id)
        except Exception as error:  # noqa: BLE001 - the outermost layer: nothing above it could respond
            told = self._told(error, scope)
            if not isinstance(told, ChatError | RequestError):
                # Frames only: the text of an exception may contain text of the user or the model.
                frames = "".join(traceback.format_tb(error.__traceback__))
                self._log().error("defect", request_id=request_id, error=type(error).__qualname__, frames=frames)
            if not status:
                await self._problems(scope["path"]).response(told)(scope, receive, send_with_id)
        finally:
            self._log().info(
                "request",
                method=scope["method"],
                path=scope["raw_path"].decode("ascii", "replace"),
                status=status or None,  # None: the client left before the response started
                duration_ms=round((time.perf_counter() - started_at) * 1000, 1),
                request_id=request_id,
                **_trace(scope["headers"]),
            )

    def _log(self) -> _Log:
        """The log as configured when the first request came: a lazy one would look its configuration up each time."""
        if self._bound_log is None:
            self._bound_log = structlog.get_logger().bind()
        return self._bound_log

    def _told(self, error: Exception, scope: Scope) -> Exception:
        """Translate the framework's errors (paths, methods, parameters of its own routes) into the contract's."""
        if isinstance(error, HTTPException) and (
            code := self._problems(scope["path"]).code_with_status(error.status_code)
        ):
            allowed = self._allowed_methods(scope["path"])
            return RequestError(code, headers={"Allow": ", ".join(allowed)} if allowed else error.headers)
        if isinstance(error, RequestValidationError):  # from a route added later; its text would repeat the input
            return RequestError("invalid-body")
        return error


def origin_of(scope: Scope) -> Origin:
    """Where a request comes from, that has passed through `EveryRequest`."""
    found = {name: value for name, value in scope["headers"] if name in {b"traceparent", b"tracestate"}}
    parent = found.get(b"traceparent")
    if parent is None or not _TRACEPARENT.fullmatch(parent):
        return Origin(scope["chat.request_id"])
    return Origin(scope["chat.request_id"], parent.decode(), found.get(b"tracestate", b"").decode("latin-1") or None)


def _trace(headers: Headers) -> Mapping[str, str]:
    """The request's trace id (W3C Trace Context), if it has one."""
    for name, value in headers:
        if name == b"traceparent" and (match := _TRACEPARENT.fullmatch(value)):
            return {"trace_id": match[1].decode()}
    return {}
