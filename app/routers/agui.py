"""AG-UI: `runAgent`."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from app.access.gate import admission_of
from app.access.limits import Limits
from app.chat.replies import Replies
from app.dialects.agui import asked_in, position_in, prepare
from app.dialects.agui_stream import Run, RunStream
from app.http.body import BodyReader
from app.http.problems import Problems
from app.http.reader import Reading
from app.http.sse import Pacing
from app.routers.shown import started
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
            reply = await started(request, asked_in(body, self.model), self.replies, self.limits)
            reading = Reading(self.replies, reply, grant)
        else:
            reply = await self.replies.open(position.reply_id, grant.principal, position.words)
            reading = Reading(self.replies, reply, grant, position.words)
        return RunStream(reading, self.problems, self.pacing, Run(body.thread_id, body.run_id), position)
