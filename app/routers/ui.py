"""The AI SDK's UI message stream: `streamUiChat` and `resumeUiChat`."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from app.access.gate import admission_of
from app.access.limits import Limits
from app.chat.access import Principal
from app.chat.aliases import ids_of, is_name
from app.chat.errors import ReplyNotFound
from app.chat.replies import Replies
from app.dialects.ui import asked_in, prepare
from app.dialects.ui_stream import UiStream, head
from app.http.body import BodyReader
from app.http.problems import Problems
from app.http.reading import Reading
from app.http.sse import Pacing
from app.routers.shown import started
from generated.models import ChatRequest, UiChatRequest

_NOTHING_RUNS = 204


@dataclass(frozen=True, slots=True)
class UiRouter:
    """What `useChat` asks for."""

    replies: Replies
    bodies: BodyReader
    model: type[ChatRequest]
    problems: Problems
    pacing: Pacing
    limits: Limits

    async def stream_ui_chat(self, request: Request) -> Response:
        """Start a reply to the last message, and stream it."""
        body = await self.bodies.read(request, UiChatRequest, prepare=prepare)
        reply = await started(request, asked_in(body, self.model), self.replies, self.limits)
        grant = admission_of(request.scope).grant
        return UiStream(Reading(self.replies, reply, grant), self.problems, self.pacing)

    async def resume_ui_chat(self, request: Request) -> Response:
        """Stream the reply that is running, from its beginning."""
        name: str = request.scope["path_params"]["conversation_id"]
        grant = admission_of(request.scope).grant
        reply_id = await self._running_in(name, grant.principal)
        if reply_id is None:
            return Response(status_code=_NOTHING_RUNS)
        try:
            if request.method == "HEAD":  # not a reader
                status = request.scope["route"].status_code
                return head(status, await self.replies.look(reply_id, grant.principal))
            reply = await self.replies.open(reply_id, grant.principal, by="address")
        except ReplyNotFound:  # deleted meanwhile
            return Response(status_code=_NOTHING_RUNS)
        return UiStream(Reading(self.replies, reply, grant), self.problems, self.pacing, is_again=True)

    async def _running_in(self, name: str, principal: Principal) -> str | None:
        for conversation_id in ids_of(name, principal) if is_name(name) else ():
            if reply_id := await self.replies.known.running_in(conversation_id, principal):
                return reply_id
        return None
