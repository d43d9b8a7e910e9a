"""Starts the reply to what a client asks that sends the whole conversation, as it shows it, under a name of its own."""

from dataclasses import replace

from starlette.requests import Request

from app.access.gate import admission_of
from app.access.limits import Limits
from app.chat.aliases import first_found
from app.chat.replies import Replies
from app.chat.requests import ReplyRequest
from app.chat.running import RunningReply
from app.dialects.shown import Asked
from app.http.idempotency import idempotency
from app.http.middleware import origin_of


async def started(request: Request, asked: Asked, replies: Replies, limits: Limits) -> RunningReply:
    """The caller becomes a reader. Raises what `Replies.start` raises."""
    admission = admission_of(request.scope)
    principal = admission.principal
    wanted = ReplyRequest(
        message=asked.message,
        principal=principal,
        behind=asked.behind,
        idempotency=idempotency(
            asked.key, principal, f"{asked.message}\0{asked.behind and asked.behind.reply_id}", asked.key_within
        ),
        cancels_running=True,
        origin=origin_of(request.scope),
    )
    meter = limits.meter(admission.client, admission.refusal)

    async def start(conversation_id: str) -> RunningReply:
        alias = None if conversation_id == asked.name else asked.name
        return await replies.start(replace(wanted, conversation_id=conversation_id, alias=alias), meter)

    return await first_found(asked.name, principal, start)
