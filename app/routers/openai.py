"""OpenAI's Chat Completions: the conversation comes with the request, and nothing is stored."""

import time
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from app.access.gate import admission_of
from app.access.limits import Limits
from app.chat.replies import Replies
from app.chat.requests import UnstoredRequest
from app.dialects.completions import CompletionStream, FinishedCompletion, Wording
from app.dialects.openai import conversation_of, prepare, wants_usage
from app.http.accept import JSON
from app.http.body import BodyReader
from app.http.idempotency import idempotency
from app.http.middleware import origin_of
from app.http.parameters import idempotency_key
from app.http.reading import Reading
from app.http.sse import Pacing
from generated.models import ChatCompletionRequest, Model, ModelList

_OWNER = "chat-backend"
_FORM = {"stream", "stream_options"}
"""Fields that say in which form a reply is wanted, and not which one."""


@dataclass(frozen=True, slots=True)
class OpenAIRouter:
    """`createChatCompletion` and `listModels`."""

    replies: Replies
    bodies: BodyReader
    wording: Wording
    pacing: Pacing
    limits: Limits
    started_seconds: int = field(default_factory=lambda: int(time.time()))

    async def create_chat_completion(self, request: Request) -> Response:
        """Reply to the conversation in the body, as a stream or as JSON."""
        key = idempotency_key(request.scope)
        body = await self.bodies.read(request, ChatCompletionRequest, prepare=prepare)
        admission = admission_of(request.scope)
        wanted = UnstoredRequest(
            conversation=conversation_of(body),
            principal=admission.principal,
            idempotency=idempotency(key, admission.principal, body.model_dump_json(exclude=_FORM)),
            origin=origin_of(request.scope),
        )
        reply = await self.replies.answer(wanted, self.limits.meter(admission.client, admission.refusal))
        if body.stream is True:
            reading = Reading(self.replies, reply, admission.grant)
            return CompletionStream(reading, self.wording, self.pacing, with_usage=wants_usage(body))
        return FinishedCompletion(Reading(self.replies, reply, admission.grant, kind="json"), self.wording)

    async def list_models(self, request: Request) -> Response:
        """The model that replies."""
        name = self.wording.model
        model = Model(id=name, object="model", created=self.started_seconds, owned_by=_OWNER)
        body = ModelList(object="list", data=[model]).model_dump_json()
        return Response(body, request.scope["route"].status_code, {"Cache-Control": "no-store"}, JSON)
