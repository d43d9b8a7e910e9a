"""Ask, and read the reply."""

import hashlib
from dataclasses import dataclass

from pydantic import MISSING
from starlette.requests import Request
from starlette.responses import Response

from app.chat.errors import ReplyNotFound
from app.chat.model import Idempotency
from app.chat.replies import Replies
from app.http import finished, sse
from app.http.accept import preferred
from app.http.body import BodyReader
from app.http.parameters import Cursor, idempotency_key, last_event_id, path_id
from app.http.problems import Problems, RequestError
from generated.models import ChatRequest

_OFFERS = (sse.MEDIA_TYPE, finished.MEDIA_TYPE)


@dataclass(frozen=True, slots=True)
class ChatRouter:
    """`streamChat`, `streamReply` and `cancelReply`."""

    replies: Replies
    bodies: BodyReader
    problems: Problems
    pacing: sse.Pacing

    async def stream_chat(self, request: Request) -> Response:
        """Start a reply, or go on with one, and stream it or send it whole."""
        scope = request.scope
        media_type = preferred(scope, _OFFERS)
        cursor = last_event_id(scope)
        key = idempotency_key(scope)
        body = await self.bodies.read(request, ChatRequest)
        if cursor is not None:
            return await self._resumed(cursor, media_type)
        conversation_id = None if body.conversation_id is MISSING else body.conversation_id
        idempotency = Idempotency(key, _fingerprint(body)) if key else None
        reply = await self.replies.start(body.user_message, conversation_id, idempotency)
        if media_type == finished.MEDIA_TYPE:
            return finished.FinishedReply(self.replies, reply, self.problems)
        return sse.EventStream(self.replies, reply, self.problems, self.pacing)

    async def stream_reply(self, request: Request) -> Response:
        """The same events again: what was said, then what is being said."""
        media_type = preferred(request.scope, _OFFERS)
        reply_id = _reply_id(request)
        cursor = last_event_id(request.scope) or Cursor(reply_id, 0)
        if cursor.reply_id != reply_id:
            raise RequestError("foreign-cursor")
        return await self._resumed(cursor, media_type)

    async def cancel_reply(self, request: Request) -> Response:
        """Stop generating."""
        await self.replies.cancel(_reply_id(request))
        return Response(status_code=request.scope["route"].status_code)

    async def _resumed(self, cursor: Cursor, media_type: str) -> Response:
        reply = await self.replies.open(cursor.reply_id, cursor.words)
        if media_type == finished.MEDIA_TYPE:
            return finished.FinishedReply(self.replies, reply, self.problems)
        return sse.EventStream(self.replies, reply, self.problems, self.pacing, cursor.words)


def _reply_id(request: Request) -> str:
    return path_id(request.scope, "reply_id", ReplyNotFound.code)


def _fingerprint(body: ChatRequest) -> str:
    return hashlib.sha256(body.model_dump_json().encode()).hexdigest()
