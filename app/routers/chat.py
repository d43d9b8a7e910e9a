"""Send a message, and get the reply as a stream or as JSON."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import MISSING
from starlette.requests import Request
from starlette.responses import Response

from app.access.gate import admission_of
from app.access.limits import Limits
from app.chat.access import Principal
from app.chat.model import Idempotency, ReplyRequest
from app.chat.replies import Replies
from app.chat.watching import ReaderKind
from app.http.accept import EVENT_STREAM, JSON, require_acceptable
from app.http.body import BodyReader
from app.http.finished import FinishedReply
from app.http.middleware import origin_of
from app.http.parameters import idempotency_key, last_event_id
from app.http.problems import Problems
from app.http.reader import Reading
from app.http.sse import EventStream, Pacing
from generated.models import ChatRequest


@dataclass(frozen=True, slots=True)
class ChatRouter:
    """`streamChat` and `createReply`."""

    replies: Replies
    bodies: BodyReader
    problems: Problems
    pacing: Pacing
    limits: Limits
    stream_location: Callable[[str], str]
    reply_location: Callable[[str], str]

    async def stream_chat(self, request: Request) -> Response:
        """Start a reply, or resume one, and stream it."""
        require_acceptable(request.scope, EVENT_STREAM)
        cursor = last_event_id(request.scope)
        key = idempotency_key(request.scope)
        body = await self.bodies.read(request, ChatRequest)
        if cursor is None:
            reading = await self._started(request, key, body)
        else:
            grant = admission_of(request.scope).grant
            reply = await self.replies.open(cursor.reply_id, grant.principal, cursor.words)
            reading = Reading(self.replies, reply, grant, cursor.words)
        return EventStream(reading, self.problems, self.pacing, self.stream_location)

    async def create_reply(self, request: Request) -> Response:
        """Start a reply, and return it when it is finished."""
        require_acceptable(request.scope, JSON)
        key = idempotency_key(request.scope)
        body = await self.bodies.read(request, ChatRequest)
        return FinishedReply(await self._started(request, key, body, "json"), self.problems, self.reply_location)

    async def _started(
        self, request: Request, key: str | None, body: ChatRequest, kind: ReaderKind = "stream"
    ) -> Reading:
        admission = admission_of(request.scope)
        wanted = ReplyRequest(
            message=body.user_message,
            principal=admission.principal,
            conversation_id=None if body.conversation_id is MISSING else body.conversation_id,
            idempotency=_idempotency(key, admission.principal, body.user_message) if key else None,
            continues_unread=body.on_disconnect == "continue",
            cancels_running=body.on_busy == "cancel",
            origin=origin_of(request.scope),
        )
        reply = await self.replies.start(wanted, self.limits.meter(admission.client, admission.refusal))
        return Reading(self.replies, reply, admission.grant, kind=kind)


def _idempotency(key: str, principal: Principal, message: str) -> Idempotency:
    """The key as it is stored: scoped to its principal, because two principals may use the same one."""
    return Idempotency(_digest(f"{principal.name}\0{key}"), _digest(message))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
