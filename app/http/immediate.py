"""An ASGI extension of our own server: a piece of the body is written in the caller's step, without a task.

ASGI's `send` is a coroutine, so only a task can send, and what is new in a reply's log has to wake one first, which
costs more than the word itself. Other servers do not have the extension, and ours does not accept every piece: what is
not written goes through `send`.
"""

from collections.abc import Callable

from starlette.types import Scope

Write = Callable[[bytes], bool]
"""Takes a piece of the body that is not the last one, and returns whether it was written. Neither waits nor raises.

It is not written if the response has not started or has ended, or if the client reads too slowly or has left.
"""

_NAME = "chat.write"
_WRITE = "write"


def offering(write: Write) -> dict[str, dict[object, object]]:
    """The value of a scope's `extensions`, for a server.

    To be removed after the response, because it ties the scope and the object behind `write` to each other.
    """
    return {_NAME: {_WRITE: write}}


def offered(scope: Scope) -> Write | None:
    """The extension, if the server has it."""
    write: Write | None = ((scope.get("extensions") or {}).get(_NAME) or {}).get(_WRITE)
    return write
