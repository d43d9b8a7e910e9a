"""What was said."""

from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import MISSING
from starlette.requests import Request
from starlette.responses import Response

from app.chat.access import Principal
from app.chat.errors import ConversationNotFound
from app.chat.model import Store, StoredConversation, StoredMessage
from app.chat.replies import Replies
from app.http.gate import admission_of
from app.http.parameters import page, path_id
from app.http.shapes import usage_shape
from generated.models import Conversation, ConversationPage, ConversationSummary, Message


@dataclass(frozen=True, slots=True)
class ConversationsRouter:
    """`listConversations`, `getConversation` and `deleteConversation`."""

    store: Store
    replies: Replies

    async def list_conversations(self, request: Request) -> Response:
        """A page of conversations, the one that was last spoken in first."""
        limit, cursor = page(request.scope)
        found = await self.store.conversations(_principal(request), limit, cursor)
        body = ConversationPage(
            conversations=[_summary(conversation) for conversation in found.items],
            next_cursor=found.next_cursor or MISSING,
        )
        return _json(request, body)

    async def get_conversation(self, request: Request) -> Response:
        """A conversation and a page of its messages, oldest first."""
        conversation_id = _conversation_id(request)
        limit, cursor = page(request.scope)
        conversation, found = await self.store.messages(conversation_id, _principal(request), limit, cursor)
        body = Conversation(
            conversation_id=conversation.conversation_id,
            title=conversation.title,
            created_at=_time(conversation.created_ms),
            updated_at=_time(conversation.updated_ms),
            messages=[_message(message) for message in found.items],
            next_cursor=found.next_cursor or MISSING,
        )
        return _json(request, body)

    async def delete_conversation(self, request: Request) -> Response:
        """Forget it."""
        await self.replies.delete_conversation(_conversation_id(request), _principal(request))
        return Response(status_code=request.scope["route"].status_code)


def _principal(request: Request) -> Principal:
    return admission_of(request.scope).principal


def _conversation_id(request: Request) -> str:
    return path_id(request.scope, "conversation_id", ConversationNotFound.code)


def _json(request: Request, body: ConversationPage | Conversation) -> Response:
    return Response(
        body.model_dump_json(), request.scope["route"].status_code, {"Cache-Control": "no-store"}, "application/json"
    )


def _summary(conversation: StoredConversation) -> ConversationSummary:
    return ConversationSummary(
        conversation_id=conversation.conversation_id,
        title=conversation.title,
        created_at=_time(conversation.created_ms),
        updated_at=_time(conversation.updated_ms),
    )


def _message(message: StoredMessage) -> Message:
    return Message(
        role=message.role,
        text=message.text,
        created_at=_time(message.created_ms),
        reply_id=message.reply_id or MISSING,
        state=message.state or MISSING,
        finish_reason=message.finish_reason or MISSING,
        usage=MISSING if message.usage is None else usage_shape(message.usage),
    )


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
