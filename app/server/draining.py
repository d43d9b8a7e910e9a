"""The HTTP server: uvicorn with a graceful drain.

On SIGTERM or SIGINT the server keeps listening while running replies finish, so that load balancers see readiness turn
503; then it closes. A second signal stops it at once.
"""

import asyncio
from types import FrameType
from typing import Any

import uvicorn

from app.chat.replies import Replies


class Server(uvicorn.Server):
    """A uvicorn server that drains before it exits."""

    def __init__(self, config: uvicorn.Config, replies: Replies, drain_seconds: float) -> None:
        """`replies` get up to `drain_seconds` to finish."""
        super().__init__(config)
        self._replies = replies
        self._drain_seconds = drain_seconds
        self._draining: asyncio.Task[None] | None = None
        self._signalled = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Start draining; a second signal stops at once. Called in a signal handler."""
        if self._signalled or not self.started:
            self.force_exit = self._signalled
            super().handle_exit(sig, frame)
            return
        self._signalled = True
        self._captured_signals.append(sig)
        asyncio.get_running_loop().call_soon_threadsafe(self.begin_to_drain)

    def begin_to_drain(self) -> None:
        """Let running replies finish, then exit; once. Called in the event loop."""
        if self._draining is None:
            self._draining = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        try:
            await self._replies.drain(self._drain_seconds)
        finally:
            self.should_exit = True

    async def shutdown(self, sockets: list[Any] | None = None) -> None:
        """Wait for the drain, and close."""
        if self._draining is not None:
            self._draining.cancel()  # already done, unless there was a second signal
            await asyncio.gather(self._draining, return_exceptions=True)
        await super().shutdown(sockets)
