"""A reply as one JSON object, sent when it has ended."""

from collections.abc import Callable

from starlette.background import BackgroundTask
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.chat.model import Done, Failed
from app.http.accept import JSON
from app.http.problems import Problems
from app.http.reader import Reader
from app.http.reading import ClientGone, Reading
from app.http.shapes import reply_shape
from app.http.sse import early_failure, reply_headers

_PATIENCE_SECONDS = 3600.0
"""JSON has no keep-alive, so there is nothing to send while waiting; the bounds on the reply end the wait."""


class FinishedReply(Response):
    """Waits for a reply's end, then sends the reply. Owns one of its readers, and releases it afterwards."""

    def __init__(self, reading: Reading, problems: Problems, location: Callable[[str], str]) -> None:
        """`problems` are for a reply that fails; `location` returns a reply's URL."""
        self.background: BackgroundTask | None = None
        self._reading = reading
        self._problems = problems
        self._location = location

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait, then answer."""
        try:
            response = await self._response(scope, receive)
            await response(scope, receive, send)
        except ClientGone:
            pass
        finally:
            self._reading.leave()

    async def _response(self, scope: Scope, receive: Receive) -> Response:
        async with Reader(self._reading, scope, receive, _PATIENCE_SECONDS) as reader:
            end = None
            while end is None:
                _, end = await reader.read()
                reader.wait_for(_PATIENCE_SECONDS)
        match end:
            case Done():
                response = Response(self.text(), scope["route"].status_code, {"Cache-Control": "no-store"}, JSON)
                response.raw_headers += self.own_headers()
                return response
            case Failed():
                return self.refusal(end.error)

    # What another protocol does in its own way:

    def text(self) -> str:
        """The finished reply."""
        return reply_shape(self._reading.reply.snapshot(), self._problems).model_dump_json()

    def own_headers(self) -> list[tuple[bytes, bytes]]:
        """Headers that identify the reply."""
        return reply_headers(self._reading.reply, self._location)

    def refusal(self, error: Exception) -> Response:
        """The response for a reply that failed."""
        return early_failure(self._reading.reply, error, self._problems)
