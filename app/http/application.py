"""The FastAPI application with only the layers that it needs."""

import sys
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.direct import DirectRoute


class Application(FastAPI):
    """FastAPI's default stack has six layers, and every message of every stream passes through most of them.

    They turn exceptions into responses (`app.http.middleware` does that here), limit bodies (`app.http.body` does) and
    report to OpenTelemetry (which has its own ASGI middleware). FastAPI's routes require the one kept here.
    """

    def __init__(self, *, explain_failure: Callable[[BaseException], str], **options: Any) -> None:  # noqa: ANN401
        """`explain_failure` says what kept it from starting; a server logs that instead of a traceback."""
        self._explain_failure = explain_failure
        super().__init__(**options)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As FastAPI's, but for what is said of a start that failed."""
        if scope["type"] == "http" and self.middleware_stack is not None:
            # What is left of FastAPI's and Starlette's here, without their frames, which a stream would hold, too.
            scope["app"] = self
            await self.middleware_stack(scope, receive, send)
            return

        async def send_explained(message: Message) -> None:
            error = sys.exception()
            if message["type"] == "lifespan.startup.failed" and error is not None:
                message = {**message, "message": self._explain_failure(error)}
            await send(message)

        await super().__call__(scope, receive, send_explained if scope["type"] == "lifespan" else send)

    def build_middleware_stack(self) -> ASGIApp:
        """The added middleware, then the routes."""
        stack = self._with_short_cuts(AsyncExitStackMiddleware(self.router))
        for middleware, arguments, options in reversed(self.user_middleware):
            stack = middleware(stack, *arguments, **options)
        return stack

    def _with_short_cuts(self, routes: ASGIApp) -> ASGIApp:
        """Find direct routes without parameters in one dict lookup; through the router, they are six calls deep.

        A stream holds those frames for as long as it lasts, and each of its words passes through all of them.
        """
        short_cuts = {
            (method, route.path): route
            for route in self.router.routes
            if isinstance(route, DirectRoute) and route.is_direct and not route.param_convertors
            for method in route.methods or ()
        }

        def dispatch(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
            route = short_cuts.get((scope.get("method", ""), scope.get("path", "")))
            if route is None:
                return routes(scope, receive, send)
            scope["route"] = route
            return route.app(scope, receive, send)

        return dispatch
