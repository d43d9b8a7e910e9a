"""AG-UI: `runAgent`."""

from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import Response

from app.access.gate import admission_of
from app.access.limits import Limits
from app.chat.aliases import first_found
from app.chat.replies import Replies
from app.chat.requests import ReplyRequest
from app.chat.running import RunningReply
from app.dialects.agui import asked_in, position_in, prepare
from app.dialects.agui_stream import Run, RunStream
from app.http.body import BodyReader
from app.http.idempotency import idempotency
from app.http.middleware import origin_of
from app.http.problems import Problems
from app.http.reader import Reading
from app.http.sse import Pacing
from generated.models import AgUiRunRequest, ChatRequest


@dataclass(frozen=True, slots=True)
class AgUiRouter:
    """What `HttpAgent` and TanStack's client ask for."""

    replies: Replies
    bodies: BodyReader
    model: type[ChatRequest]
    problems: Problems
    pacing: Pacing
    limits: Limits

    async def run_agent(self, request: Request) -> Response:
        """Start a reply to the last message, or resume one, and stream it."""
        position = position_in(request.scope)
        body = await self.bodies.read(request, AgUiRunRequest, prepare=prepare)
        grant = admission_of(request.scope).grant
        if position is None:
            reading = Reading(self.replies, await self._started(request, body), grant)
        else:
            reply = await self.replies.open(position.reply_id, grant.principal, position.words)
            reading = Reading(self.replies, reply, grant, position.words)
        return RunStream(reading, self.problems, self.pacing, Run(body.thread_id, body.run_id), position)

    async def _started(self, request: Request, body: AgUiRunRequest) -> RunningReply:
        asked = asked_in(body, self.model)
        admission = admission_of(request.scope)
        name, principal = body.thread_id, admission.principal
        content = f"{asked.message}\0{asked.behind and asked.behind.reply_id}"
        wanted = ReplyRequest(
            message=asked.message,
            principal=principal,
            behind=asked.behind,
            idempotency=idempotency(f"ag-ui\0{name}\0{body.run_id}", principal, content),
            cancels_running=True,
            origin=origin_of(request.scope),
        )
        meter = self.limits.meter(admission.client, admission.refusal)

        async def started(conversation_id: str) -> RunningReply:
            alias = None if conversation_id == name else name
            return await self.replies.start(replace(wanted, conversation_id=conversation_id, alias=alias), meter)

        return await first_found(name, principal, started)
