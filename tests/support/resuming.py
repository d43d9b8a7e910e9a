"""A client that is cut off, any number of times, and goes on where it was; strict about what it is sent then."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from generated.models import Problem, Reply
from tests.support.stream import Event, Parser

Way = Literal["get", "post", "key"]
"""How to go on: `GET` of the reply, or `POST` again, with the last id; or `POST` again with nothing but the key."""
WAYS: tuple[Way, ...] = ("get", "post", "key")


@dataclass(frozen=True, slots=True)
class Request:
    """What to send next."""

    method: str
    path: str
    headers: Mapping[str, str]


class Resumer:
    """What the client has of one reply, and how it asks for the rest."""

    def __init__(self, key: str) -> None:
        """`key` is the Idempotency-Key of its first request."""
        self.words: list[str] = []
        self.end: Reply | Problem | None = None
        self.key = key
        self._reply_id: str | None = None
        self._parser = Parser()

    def request(self, way: Way) -> Request:
        """The request to make; each begins a new connection. Who does not know the reply's id can only send the key."""
        self._parser = Parser()
        if self._reply_id is None or way == "key":
            self.words.clear()
            return Request("POST", "/api/chat", {"Idempotency-Key": self.key})
        cursor = {"Last-Event-ID": f"{self._reply_id}:{len(self.words)}"}
        if way == "post":
            return Request("POST", "/api/chat", cursor)
        return Request("GET", f"/api/replies/{self._reply_id}", cursor if self.words else {})

    def head(self, status: int, headers: Mapping[str, str]) -> None:
        """The head of a response."""
        assert status == 200, headers
        assert headers["reply-id"] == (self._reply_id or headers["reply-id"])
        assert headers["content-location"] == f"/api/replies/{headers['reply-id']}"
        self._reply_id = headers["reply-id"]

    def body(self, piece: bytes) -> None:
        """Some bytes of the event stream. What is lost, doubled or out of order is told at once."""
        for event in self._parser.feed(piece):
            self._take(event)

    def _take(self, event: Event) -> None:
        assert self.end is None
        match event.name:
            case "message":
                assert event.id == f"{self._reply_id}:{len(self.words) + 1}"
                self.words.append(event.data)
            case "done":
                self.end = Reply.model_validate_json(event.data)
                assert self.end.reply_id == self._reply_id
            case "failed":
                self.end = Problem.model_validate_json(event.data)
            case other:
                raise AssertionError(f"there is no event {other}")
