"""A client that is cut off any number of times and resumes, with strict checks of what it receives."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urljoin

import h11

from generated.models import Problem, Reply
from tests.support.addresses import CHAT, events_of
from tests.support.stream import Event, Parser
from tests.support.wire import Wire

Way = Literal["get", "query", "post", "key"]
"""How to resume: `GET` the events or repeat the `POST`, with the last id in the header (or the query, for clients that
cannot set headers); or repeat the `POST` with only the key."""
WAYS: tuple[Way, ...] = ("get", "query", "post", "key")


@dataclass(frozen=True, slots=True)
class Request:
    """The next request."""

    method: str
    path: str
    headers: Mapping[str, str]


class Resumer:
    """What the client has received of one reply, and how it requests the rest."""

    def __init__(self, key: str, *, fails: bool = False) -> None:
        """`key` is the Idempotency-Key of its first request.

        If the reply `fails`, a client that knows its id resumes with the id: the key alone would start a new reply.
        """
        self.words: list[str] = []
        self.end: Reply | Problem | None = None
        self.key = key
        self.reply_id: str | None = None
        self._fails = fails
        self._asked_at = CHAT
        self._parser = Parser()

    def request(self, way: Way) -> Request:
        """The next request, on a new connection. Without the reply's id, the client can only send the key."""
        self._parser = Parser()
        request = self._request("get" if way == "key" and self._fails else way)
        self._asked_at = request.path
        return request

    def _request(self, way: Way) -> Request:
        if self.reply_id is None or way == "key":
            self.words.clear()
            return Request("POST", CHAT, {"Idempotency-Key": self.key})
        cursor = f"{self.reply_id}:{len(self.words)}"
        if way == "post":
            return Request("POST", CHAT, {"Last-Event-ID": cursor})
        if way == "query":
            return Request("GET", f"{events_of(self.reply_id)}?lastEventId={cursor}", {})
        return Request("GET", events_of(self.reply_id), {"Last-Event-ID": cursor} if self.words else {})

    def head(self, status: int, headers: Mapping[str, str]) -> None:
        """Check the head of a response."""
        assert status == 200, headers
        assert headers["reply-id"] == (self.reply_id or headers["reply-id"])
        assert urljoin(self._asked_at, headers["content-location"]) == events_of(headers["reply-id"])
        self.reply_id = headers["reply-id"]

    def body(self, piece: bytes) -> None:
        """Take some bytes of the event stream, and check that nothing is lost, repeated or out of order."""
        for event in self._parser.feed(piece):
            self._take(event)

    def _take(self, event: Event) -> None:
        assert self.end is None
        match event.name:
            case "message":
                assert event.id == f"{self.reply_id}:{len(self.words) + 1}"
                self.words.append(event.data)
            case "done":
                self.end = Reply.model_validate_json(event.data)
                assert self.end.reply_id == self.reply_id
            case "failed":
                self.end = Problem.model_validate_json(event.data)
            case other:
                raise AssertionError(f"unknown event {other}")


@dataclass(frozen=True, slots=True)
class CutOff:
    """Where a client loses its connection: after this many bytes of the response, including the head, or words."""

    room: int | None = None
    """At 0 the client does not wait for any byte."""
    words: int | None = None
    resets: bool = False
    """Whether the connection ends with a reset instead of an orderly end."""

    def is_reached(self, read: int, words: int) -> bool:
        """Whether it is reached after this many bytes and words."""
        return read == self.room or (self.words is not None and words >= self.words)


def connect(port: int, message: str, resumer: Resumer, way: Way, cut: CutOff | None = None) -> None:
    """Make one connection to a live server, and read until it is cut off or the response is complete."""
    http = h11.Connection(h11.CLIENT)
    read = 0
    with Wire(port) as wire:
        wire.send(_written(http, resumer.request(way), message))
        while cut is None or not cut.is_reached(read, len(resumer.words)):
            data = wire.receive_at_most(2**16 if cut is None or cut.room is None else cut.room - read)
            read += len(data)
            http.receive_data(data)
            while (event := http.next_event()) is not h11.NEED_DATA:
                match event:
                    case h11.Response():
                        headers = {name.decode(): value.decode() for name, value in event.headers}
                        resumer.head(event.status_code, headers)
                    case h11.Data():
                        resumer.body(bytes(event.data))
                    case _:
                        assert isinstance(event, h11.EndOfMessage)
                        return
        if cut.resets:
            wire.reset()


def _written(http: h11.Connection, request: Request, message: str) -> bytes:
    body = json.dumps({"user_message": message}).encode() if request.method == "POST" else b""
    head = {
        "Host": "localhost",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **request.headers,
    }
    begin = h11.Request(method=request.method, target=request.path, headers=list(head.items()))
    return b"".join(http.send(part) or b"" for part in (begin, h11.Data(data=body), h11.EndOfMessage()))
