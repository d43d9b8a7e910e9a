"""The paths of the contract's operations, and what to send to those that reply to a message."""

import secrets
from typing import Any

from tests.support.agui import AG_UI, agui_asked, users
from tests.support.ui import UI, ui_asked, user

CHAT = "/api/chat"
"""`streamChat`."""
WHOLE = "/api/replies"
"""`createReply`: the same request, with the finished reply as JSON."""
BOTH = (CHAT, WHOLE)
COMPLETED = "/v1/chat/completions"
"""`createChatCompletion`."""
EACH = (*BOTH, COMPLETED, UI, AG_UI)


def asked(message: str, path: str = CHAT) -> dict[str, Any]:
    """The body of a request with a message; a completion is asked for as a stream."""
    if path == COMPLETED:
        return {"messages": [{"role": "user", "content": message}], "stream": True}
    if path == UI:
        return ui_asked(user(message), chat_id=secrets.token_hex(8))
    if path == AG_UI:
        return agui_asked(users(message), threadId=secrets.token_hex(8))
    return {"user_message": message}


def events_of(reply_id: str) -> str:
    """`streamReply`."""
    return f"/api/replies/{reply_id}/events"


def reply_at(reply_id: str) -> str:
    """`getReply`."""
    return f"/api/replies/{reply_id}"


def cancel_of(reply_id: str) -> str:
    """`cancelReply`."""
    return f"/api/replies/{reply_id}/cancel"


def conversation_at(conversation_id: str) -> str:
    """`getConversation`, `updateConversation` and `deleteConversation`."""
    return f"/api/conversations/{conversation_id}"
