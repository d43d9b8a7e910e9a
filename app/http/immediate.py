"""An ASGI extension of our own server: reading a body, writing, and being told of a disconnect, all without waiting.

ASGI's `send` and `receive` are coroutines, so only a task can send, and only another one can wait for the disconnect
meanwhile. What is new in a reply's log has to wake the first, which costs more than the word itself, and the second
costs each stream memory. Other servers do not have the extension, and ours does not accept every piece: what is not
written goes through `send`.
"""

from collections.abc import Callable
from typing import Protocol

from starlette.types import Scope

_NAME = "chat.immediate"
_EXCHANGE = "exchange"


class Immediate(Protocol):
    """A request and its response, on the server's side."""

    def whole_body(self) -> bytes | None:
        """The request's body, once, if all of it has arrived and none has been received; neither waits nor raises."""
        ...

    def write(self, body: bytes) -> bool:
        """Take a piece of the body that is not the last one. Returns whether it was written; neither waits nor raises.

        It is not if the response has not started or has ended, or if the client reads too slowly or has left.
        """
        ...

    def when_gone(self, tell: Callable[[], None]) -> None:
        """Call `tell` when the client leaves before the response is complete; at once if it has left."""
        ...

    def cut_off(self) -> None:
        """Close the connection without the response's end, so that no client takes what it has for all."""
        ...


def offering(exchange: Immediate) -> dict[str, dict[object, object]]:
    """The value of a scope's `extensions`, for a server.

    To be removed after the response, because it ties the scope and the exchange to each other.
    """
    return {_NAME: {_EXCHANGE: exchange}}


def offered(scope: Scope) -> Immediate | None:
    """The extension, if the server has it."""
    exchange: Immediate | None = ((scope.get("extensions") or {}).get(_NAME) or {}).get(_EXCHANGE)
    return exchange
