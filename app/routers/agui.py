"""AG-UI: `runAgent` and `rejoinAgent`."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from app.access.gate import admission_of
from app.access.limits import Limits
from app.chat.aliases import is_id
from app.chat.ports import Store
from app.chat.replies import Replies
from app.dialects.agui import asked_in, key_of, position_in, prepare
from app.dialects.agui_stream import Run, RunStream, head
from app.http.body import BodyReader
from app.http.idempotency import beginning_of
from app.http.parameters import run_id
from app.http.problems import Problems, RequestError
from app.http.reading import Reading
from app.http.sse import Pacing
from app.routers.shown import started
from generated.models import AgUiRunRequest, ChatRequest


@dataclass(frozen=True, slots=True)
class AgUiRouter:
    """What `HttpAgent` and TanStack's client ask for."""

    replies: Replies
    store: Store
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
            reply = await started(request, asked_in(body, self.model), self.replies, self.limits)
            reading = Reading(self.replies, reply, grant)
        else:
            reply = await self.replies.open(position.reply_id, grant.principal, position.words)
            reading = Reading(self.replies, reply, grant, position.words)
        return RunStream(reading, self.problems, self.pacing, Run(body.thread_id, body.run_id), position)

    async def rejoin_agent(self, request: Request) -> Response:
        """Stream a run that was started before."""
        wanted, position = run_id(request.scope), position_in(request.scope)
        grant = admission_of(request.scope).grant
        found = await self.store.only_for(beginning_of(key_of(wanted), grant.principal))
        if found is None and is_id(wanted):
            found = await self.store.named(wanted, grant.principal)
        if found is None:
            raise RequestError("run-not-found")
        if position is not None and position.reply_id != found.reply_id:
            raise RequestError("cursor-of-another-reply")
        words = position.words if position is not None else 0
        if request.method == "HEAD":  # not a reader
            reply = await self.replies.look(found.reply_id, grant.principal, words)
            return head(request.scope["route"].status_code, reply)
        reply = await self.replies.open(found.reply_id, grant.principal, words, "key" if position is None else None)
        reading = Reading(self.replies, reply, grant, words)
        run = Run(found.conversation_name, wanted)
        return RunStream(reading, self.problems, self.pacing, run, position, is_again=True)
