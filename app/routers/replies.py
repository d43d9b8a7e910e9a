"""Read a reply again, resume its stream, or cancel it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import MISSING
from starlette.requests import Request
from starlette.responses import Response

from app.access.gate import admission_of
from app.chat.errors import ReplyNotFound
from app.chat.ports import Store
from app.chat.replies import Replies
from app.chat.stored import Feedback
from app.chat.watching import Attachment
from app.http.accept import EVENT_STREAM, JSON, require_acceptable
from app.http.body import BodyReader
from app.http.parameters import Cursor, last_event_id, path_id
from app.http.problems import Problems, RequestError
from app.http.reading import Reading
from app.http.shapes import reply_shape
from app.http.sse import EventStream, Pacing
from generated.models import NewFeedback


@dataclass(frozen=True, slots=True)
class RepliesRouter:
    """What concerns a reply that there is."""

    replies: Replies
    store: Store
    bodies: BodyReader
    problems: Problems
    pacing: Pacing
    stream_location: Callable[[str], str]

    async def get_reply(self, request: Request) -> Response:
        """The current state of the reply."""
        require_acceptable(request.scope, JSON)
        reply = await self.replies.known.snapshot(_reply_id(request), admission_of(request.scope).principal)
        body = reply_shape(reply, self.problems).model_dump_json()
        return Response(body, request.scope["route"].status_code, {"Cache-Control": "no-store"}, JSON)

    async def stream_reply(self, request: Request) -> Response:
        """Replay the reply's events, then continue live."""
        require_acceptable(request.scope, EVENT_STREAM)
        reply_id = _reply_id(request)
        given = last_event_id(request.scope, in_query=True)
        cursor = given or Cursor(reply_id, 0)
        if cursor.reply_id != reply_id:
            raise RequestError("cursor-of-another-reply")
        grant = admission_of(request.scope).grant
        if request.method == "HEAD":  # not a reader, which would keep the reply running
            reply = await self.replies.look(reply_id, grant.principal, cursor.words)
            return EventStream.head(request.scope["route"].status_code, reply, self.problems, self.stream_location)
        by: Attachment | None = None if given else "address"
        running = await self.replies.open(reply_id, grant.principal, cursor.words, by)
        reading = Reading(self.replies, running, grant, cursor.words)
        return EventStream(reading, self.problems, self.pacing, self.stream_location)

    async def give_feedback(self, request: Request) -> Response:
        """Store what the owner thinks of the reply."""
        reply_id = _reply_id(request)
        body = await self.bodies.read(request, NewFeedback)
        return await self._rated(request, reply_id, Feedback(body.rating, None if body.note is MISSING else body.note))

    async def withdraw_feedback(self, request: Request) -> Response:
        """Forget what the owner thought of the reply."""
        return await self._rated(request, _reply_id(request), None)

    async def _rated(self, request: Request, reply_id: str, feedback: Feedback | None) -> Response:
        principal = admission_of(request.scope).principal
        await self.store.give_feedback(reply_id, principal, feedback, time.time_ns() // 1_000_000)
        return Response(status_code=request.scope["route"].status_code)

    async def cancel_reply(self, request: Request) -> Response:
        """Stop generating."""
        await self.replies.cancellations.cancel(_reply_id(request), admission_of(request.scope).principal)
        return Response(status_code=request.scope["route"].status_code)


def _reply_id(request: Request) -> str:
    return path_id(request.scope, "reply_id", ReplyNotFound.code)
