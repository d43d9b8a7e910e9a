"""Send a message, and get the reply as a stream or as JSON."""

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

from annotated_types import MaxLen
from pydantic import MISSING, create_model
from starlette.requests import Request
from starlette.responses import Response

from app.access.gate import admission_of
from app.access.limits import Limits
from app.chat.aliases import first_found, is_id
from app.chat.replies import Replies
from app.chat.requests import Beside, ReplyRequest
from app.chat.watching import ReaderKind
from app.http.accept import EVENT_STREAM, JSON, require_acceptable
from app.http.body import BodyReader
from app.http.finished import FinishedReply
from app.http.idempotency import idempotency
from app.http.middleware import origin_of
from app.http.parameters import idempotency_key, last_event_id
from app.http.problems import Problems
from app.http.reading import Reading
from app.http.sse import EventStream, Pacing
from generated.models import ChatRequest, FieldError


@dataclass(frozen=True, slots=True)
class ChatRouter:
    """`streamChat` and `createReply`."""

    replies: Replies
    bodies: BodyReader
    model: type[ChatRequest]
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
        body = await self.bodies.read(request, self.model, _what_is_wrong)
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
        body = await self.bodies.read(request, self.model, _what_is_wrong)
        return FinishedReply(await self._started(request, key, body, "json"), self.problems, self.reply_location)

    async def _started(
        self, request: Request, key: str | None, body: ChatRequest, kind: ReaderKind = "stream"
    ) -> Reading:
        admission = admission_of(request.scope)
        message = "" if body.user_message is MISSING else body.user_message
        beside = _beside(body)
        wanted = ReplyRequest(
            message=message,
            principal=admission.principal,
            beside=beside,
            idempotency=idempotency(key, admission.principal, message + _place(beside)),
            continues_unread=body.on_disconnect == "continue",
            cancels_running=body.on_busy == "cancel",
            origin=origin_of(request.scope),
        )
        meter = self.limits.meter(admission.client, admission.refusal)
        if body.conversation_id is MISSING:
            reply = await self.replies.start(wanted, meter)
        else:
            name = body.conversation_id
            alias = None if is_id(name) else name
            reply = await first_found(
                name,
                admission.principal,
                lambda found: self.replies.start(replace(wanted, conversation_id=found, alias=alias), meter),
            )
        return Reading(self.replies, reply, admission.grant, kind=kind)


def request_model(characters: int) -> type[ChatRequest]:
    """The model of a request whose message may have so many characters."""
    field = ChatRequest.model_fields["user_message"]
    if MaxLen(characters) in field.metadata:
        return ChatRequest
    bounds = [MaxLen(characters) if isinstance(bound, MaxLen) else bound for bound in field.metadata]
    field = copy(field)
    field.metadata = bounds
    return create_model("ChatRequest", __base__=ChatRequest, user_message=(str | MISSING, field))


def _beside(body: ChatRequest) -> Beside | None:
    if body.edits is not MISSING:
        return Beside(body.edits, "edits")
    return None if body.regenerates is MISSING else Beside(body.regenerates, "regenerates")


def _place(beside: Beside | None) -> str:
    """A message has no NUL."""
    return "" if beside is None else f"\0{beside.way}\0{beside.reply_id}"


def _what_is_wrong(body: dict[str, Any]) -> Iterator[FieldError]:
    """What the contract says with `if`, `then` and `else`, which the model does not have."""
    if "regenerates" not in body:
        if "user_message" not in body:
            yield FieldError(pointer="/user_message", detail="Field required")
        return
    for name in ("user_message", "edits"):
        if name in body:
            yield FieldError(pointer=f"/{name}", detail="Not together with regenerates")
