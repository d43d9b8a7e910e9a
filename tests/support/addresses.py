"""The paths of the contract's operations."""

CHAT = "/api/chat"
"""`streamChat`."""
WHOLE = "/api/replies"
"""`createReply`: the same request, with the finished reply as JSON."""
BOTH = (CHAT, WHOLE)


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
