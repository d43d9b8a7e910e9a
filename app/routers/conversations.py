"""Stored conversations."""

from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import MISSING, BaseModel
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from app.access.gate import admission_of
from app.chat.access import Principal
from app.chat.aliases import first_found
from app.chat.errors import ConversationNotFound
from app.chat.ports import Store
from app.chat.replies import Replies
from app.http.body import BodyReader
from app.http.exports import Pages, as_json, as_markdown, pages_of
from app.http.parameters import list_page, messages_page, path_name, refuse_query
from app.http.shapes import conversation_shape, page_shape, summary_shape
from generated.models import ConversationUpdate, FieldError

Pieces = AsyncGenerator[str, None]


@dataclass(frozen=True, slots=True)
class ConversationsRouter:
    """What concerns whole conversations."""

    store: Store
    replies: Replies
    bodies: BodyReader

    async def list_conversations(self, request: Request) -> Response:
        """A page of conversations, the most recently updated first."""
        page = list_page(request.scope)
        found = await self.store.conversations(_principal(request), page.limit, page.cursor, page.search)
        return _json(request, page_shape(found))

    async def get_conversation(self, request: Request) -> Response:
        """A conversation and a page of its messages."""
        name, principal = _name(request), _principal(request)
        page = messages_page(request.scope)
        conversation, found = await first_found(
            name, principal, lambda found: self.store.messages(found, principal, page)
        )
        return _json(request, conversation_shape(conversation, found.items, found.next_cursor))

    async def export_conversation(self, request: Request) -> Response:
        """All messages as JSON."""
        return await self._exported(request, as_json, "application/json")

    async def export_conversation_as_markdown(self, request: Request) -> Response:
        """The chosen branch as Markdown."""
        return await self._exported(request, as_markdown, "text/markdown")

    async def _exported(self, request: Request, written: Callable[[Pages], Pieces], media_type: str) -> Response:
        principal = _principal(request)

        async def begun(conversation_id: str) -> tuple[str, Pieces]:
            pieces = written(pages_of(self.store, conversation_id, principal))
            return await anext(pieces), pieces  # what can be refused, is refused before the status line

        first, pieces = await first_found(_name(request), principal, begun)

        async def body() -> Pieces:
            yield first
            async for piece in pieces:
                yield piece

        status = request.scope["route"].status_code
        return StreamingResponse(body(), status, {"Cache-Control": "no-store"}, media_type)

    async def update_conversation(self, request: Request) -> Response:
        """Rename a conversation, or choose its branch."""
        name, principal = _name(request), _principal(request)
        body = await self.bodies.read(request, ConversationUpdate, _what_is_wrong)
        title = None if body.title is MISSING else " ".join(body.title.split())
        branch = None if body.branch is MISSING else body.branch
        conversation = await first_found(
            name, principal, lambda found: self.store.update(found, principal, title=title, branch=branch)
        )
        return _json(request, summary_shape(conversation))

    async def delete_conversations(self, request: Request) -> Response:
        """Delete all of the caller's conversations."""
        refuse_query(request.scope)
        await self.replies.deletions.delete_all(_principal(request))
        return Response(status_code=request.scope["route"].status_code)

    async def delete_conversation(self, request: Request) -> Response:
        """Delete a conversation."""
        principal = _principal(request)
        await first_found(_name(request), principal, lambda found: self.replies.deletions.delete(found, principal))
        return Response(status_code=request.scope["route"].status_code)


def _principal(request: Request) -> Principal:
    return admission_of(request.scope).principal


def _name(request: Request) -> str:
    return path_name(request.scope, ConversationNotFound.code)


def _what_is_wrong(body: dict[str, Any]) -> Iterator[FieldError]:
    """What the contract says with `minProperties`, which the model does not have."""
    if not body:
        yield FieldError(pointer="", detail="There is nothing to change.")


def _json(request: Request, body: BaseModel) -> Response:
    return Response(
        body.model_dump_json(), request.scope["route"].status_code, {"Cache-Control": "no-store"}, "application/json"
    )
