"""Stored conversations."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from app.access.gate import admission_of
from app.chat.access import Principal
from app.chat.errors import ConversationNotFound
from app.chat.ports import Store
from app.chat.replies import Replies
from app.http.parameters import list_page, messages_page, path_id
from app.http.shapes import conversation_shape, page_shape
from generated.models import Conversation, ConversationPage


@dataclass(frozen=True, slots=True)
class ConversationsRouter:
    """`listConversations`, `getConversation` and `deleteConversation`."""

    store: Store
    replies: Replies

    async def list_conversations(self, request: Request) -> Response:
        """A page of conversations, the most recently updated first."""
        page = list_page(request.scope)
        return _json(request, page_shape(await self.store.conversations(_principal(request), page.limit, page.cursor)))

    async def get_conversation(self, request: Request) -> Response:
        """A conversation and a page of its messages."""
        conversation_id = _conversation_id(request)
        page = messages_page(request.scope)
        conversation, found = await self.store.messages(
            conversation_id, _principal(request), page.limit, page.cursor, newest_first=page.newest_first
        )
        return _json(request, conversation_shape(conversation, found.items, found.next_cursor))

    async def delete_conversation(self, request: Request) -> Response:
        """Delete a conversation."""
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
