"""Ask, and read the reply."""

import hashlib
from dataclasses import dataclass

from pydantic import MISSING
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from app.chat.access import Principal
from app.chat.errors import ReplyNotFound
from app.chat.model import Idempotency
from app.chat.replies import Replies
from app.http import finished, sse
from app.http.accept import preferred
from app.http.body import BodyReader
from app.http.gate import admission_of
from app.http.limits import Limits
from app.http.parameters import Cursor, idempotency_key, last_event_id, path_id
from app.http.problems import Problems, RequestError
from app.http.reader import Reading
from generated.models import ChatRequest

_OFFERS = (sse.MEDIA_TYPE, finished.MEDIA_TYPE)


@dataclass(frozen=True, slots=True)
class ChatRouter:
    """`streamChat`, `streamReply` and `cancelReply`."""

    replies: Replies
    bodies: BodyReader
    problems: Problems
    pacing: sse.Pacing
    limits: Limits

    async def stream_chat(self, request: Request) -> Response:
        """Start a reply, or go on with one, and stream it or send it whole."""
        scope = request.scope
        media_type = preferred(scope, _OFFERS)
        cursor = last_event_id(scope)
        key = idempotency_key(scope)
        body = await self.bodies.read(request, ChatRequest)
        if cursor is not None:
            return await self._resumed(scope, cursor, media_type)
        admission = admission_of(scope)
        conversation_id = None if body.conversation_id is MISSING else body.conversation_id
        idempotency = Idempotency(_own(key, admission.principal), _fingerprint(body)) if key else None
        meter = self.limits.meter(admission.client)
        reply = await self.replies.start(body.user_message, admission.principal, conversation_id, idempotency, meter)
        return self._response(Reading(self.replies, reply, admission.grant), media_type)

    async def stream_reply(self, request: Request) -> Response:
        """The same events again: what was said, then what is being said."""
        media_type = preferred(request.scope, _OFFERS)
        reply_id = _reply_id(request)
        cursor = last_event_id(request.scope) or Cursor(reply_id, 0)
        if cursor.reply_id != reply_id:
            raise RequestError("foreign-cursor")
        return await self._resumed(request.scope, cursor, media_type)

    async def cancel_reply(self, request: Request) -> Response:
        """Stop generating."""
        await self.replies.cancel(_reply_id(request), admission_of(request.scope).principal)
        return Response(status_code=request.scope["route"].status_code)

    async def _resumed(self, scope: Scope, cursor: Cursor, media_type: str) -> Response:
        grant = admission_of(scope).grant
        reply = await self.replies.open(cursor.reply_id, grant.principal, cursor.words)
        return self._response(Reading(self.replies, reply, grant, cursor.words), media_type)

    def _response(self, reading: Reading, media_type: str) -> Response:
        if media_type == finished.MEDIA_TYPE:
            return finished.FinishedReply(reading, self.problems)
        return sse.EventStream(reading, self.problems, self.pacing)


def _reply_id(request: Request) -> str:
    return path_id(request.scope, "reply_id", ReplyNotFound.code)


def _own(key: str, principal: Principal) -> str:
    """What the key is remembered as: two principals may have the same one."""
    return hashlib.sha256(f"{principal.name}\0{key}".encode()).hexdigest()


def _fingerprint(body: ChatRequest) -> str:
    return hashlib.sha256(body.model_dump_json().encode()).hexdigest()
