"""Writes whole conversations as JSON or Markdown, piece by piece: a long one is never in memory as a whole."""

import re
from collections.abc import AsyncGenerator, AsyncIterator

from app.chat.access import Principal
from app.chat.ports import Store
from app.chat.stored import ExportedMessage, StoredConversation, StoredMessage
from app.http.shapes import exported_shape, summary_shape, time_text

_PAGE = 100
_FENCE = re.compile(r"( {0,3})(`{3,}(?=[^`]*$)|~{3,})")
"""Of a block of code (CommonMark, section 4.5). With more spaces, it is in a list, which the next heading ends."""

Pages = AsyncIterator[tuple[StoredConversation, tuple[ExportedMessage, ...]]]


async def pages_of(store: Store, conversation_id: str, principal: Principal | None) -> Pages:
    """A conversation's messages of all branches; any principal's for `None`. Raises `ConversationNotFound`."""
    cursor: int | None = 0
    while cursor is not None:
        conversation, page = await store.everything(conversation_id, principal, _PAGE, cursor)
        yield conversation, page.items
        cursor = page.next_cursor


async def as_json(pages: Pages) -> AsyncGenerator[str, None]:
    """A `ConversationExport`."""
    between = ""
    is_first = True
    async for conversation, messages in pages:
        if is_first:
            yield summary_shape(conversation).model_dump_json()[:-1] + ',"messages":['
            is_first = False
        for message in messages:
            yield between + exported_shape(message).model_dump_json()
            between = ","
    yield "]}"


async def as_markdown(pages: Pages) -> AsyncGenerator[str, None]:
    """The chosen branch."""
    is_first = True
    async for conversation, messages in pages:
        if is_first:
            yield f"# {conversation.title}\n"
            is_first = False
        for exported in messages:
            if exported.is_chosen:
                yield _section(exported.message)


def _section(message: StoredMessage) -> str:
    state = f" ({message.state})" if message.state not in {None, "completed"} else ""
    return f"\n## {message.role.capitalize()}, {time_text(message.created_ms)}{state}\n\n{_closed(message.text)}\n"


def _closed(text: str) -> str:
    """A text that was cut within a block of code would take what follows with it."""
    fence = ""
    for line in text.split("\n"):
        match = _FENCE.match(line)
        if match and not fence:
            fence = match[0]
        elif match and match[2].startswith(fence.lstrip()) and line.strip() == match[2]:
            fence = ""
    return f"{text}\n{fence}" if fence else text
