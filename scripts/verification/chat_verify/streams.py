"""Reads a reply as it arrives, and checks its grammar: the basis of all laws about replies."""

# ruff: noqa: PLR2004 - a status is best known by its number

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic

import httpx

from chat_verify.contract import STREAM_TYPE
from chat_verify.exchange import Request, cancelled, shown
from chat_verify.findings import Broken, Unseen
from chat_verify.grammar import RULE, TEXT_RULE, StreamBroken, Transcript, check_stream
from chat_verify.sse import Event, Parser
from chat_verify.target import OWNER, Target, refused

LONG_SECONDS = 2.0
"""After this time a reply is cancelled, unless a law needs more of it: slow models cost time and money."""
_ANSWER_SECONDS = 10.0
GOING_ON = "the stream continues after Last-Event-ID: nothing is lost, repeated or out of order"
ON_THE_WAY = (
    "the reply is streamed word by word, never buffered and never compressed. "
    "Next: turn off buffering and compression for /api/chat and /api/replies in each proxy in front of the service "
    "(nginx: proxy_buffering off, proxy_http_version 1.1)"
)
CLEAN_END = (
    f"{RULE}. The connection was closed cleanly, so a client takes the reply for complete. The cause may be a proxy "
    "that lost the service (nginx that speaks HTTP/1.0 to it, its default: set `proxy_http_version 1.1`; lighttpd; "
    "h2o; HAProxy and Varnish over HTTP/2), or a proxy that ends long responses"
)


@dataclass(slots=True)
class Heard:
    """A stream, as far as it has been read."""

    request: Request
    reply_id: str
    conversation_id: str
    asked_at: float
    headers: httpx.Headers
    raw: bytes = b""
    events: list[tuple[float, Event]] = field(default_factory=list)
    """Each event with the time of its arrival, in seconds since the request."""
    parser: Parser = field(default_factory=Parser)
    pinged: bool = False
    """Whether there was a comment."""

    def words(self) -> list[str]:
        return [event.data for _, event in self.events if event.name == "message"]

    def moments(self) -> list[float]:
        """When each word arrived."""
        return [moment for moment, event in self.events if event.name == "message"]

    def ended(self) -> bool:
        return any(event.name in {"done", "failed"} for _, event in self.events)

    def transcript(self) -> Transcript:
        """The stream, or the requested rest of it, checked against the contract. Raises `Broken`."""
        after = int(self.request.headers.get("last-event-id", "").partition(":")[2] or 0)
        try:
            return check_stream(self.raw, after)
        except StreamBroken as broken:
            law: str = broken.law
            contract = TEXT_RULE if law == "text" else RULE
            if not self.ended():
                contract = CLEAN_END
            elif "last-event-id" in self.request.headers:
                law, contract = "resume", GOING_ON
            came = f"{' '.join(str(broken).split())[:600]}. Its last bytes: {self.raw[-160:]!r}"
            raise Broken(shown(self.request), came, contract, law=law) from broken

    def take(self, piece: bytes) -> None:
        self.raw += piece
        moment = monotonic() - self.asked_at
        self.events += [(moment, event) for event in self.parser.feed(piece)]
        self.pinged = self.pinged or b": ping\n" in self.raw


class Reading:
    """A reply being read."""

    def __init__(self, heard: Heard, response: httpx.Response) -> None:
        self.heard = heard
        self._pieces = response.aiter_raw()

    async def on(self, words: int, room: int | None = None) -> None:
        """Read until there are this many words, or `room` bytes in total, or the stream ends."""
        heard = self.heard
        while len(heard.words()) < words and (room is None or len(heard.raw) < room):
            piece = await anext(self._pieces, None)
            if piece is None:
                return
            heard.take(piece if room is None else piece[: room - len(heard.raw)])

    async def to_the_end(self, *, or_a_ping: bool = False) -> None:
        async for piece in self._pieces:
            self.heard.take(piece)
            if or_a_ping and self.heard.pinged:
                return


@asynccontextmanager
async def reading(target: Target, request: Request, contract: str, who: str = OWNER) -> AsyncGenerator[Reading]:
    """Start reading a reply; `contract` says why there must be one. Leaving the block early closes the connection."""
    asked_at = monotonic()
    async with target.open(request, who) as response:
        if response.status_code != 200:
            raise refused(request, await target.whole(request, response), contract)
        headers = response.headers
        media_type = headers.get("content-type", "")
        if not media_type.startswith(STREAM_TYPE):
            raise Broken(shown(request), f"200 {media_type}", "a reply is text/event-stream", law="document")
        if (encoding := headers.get("content-encoding", "identity")) != "identity":
            came = f"the stream is compressed: Content-Encoding: {encoding}"
            raise Broken(shown(request), came, ON_THE_WAY, law="streaming")
        yield Reading(Heard(request, headers["reply-id"], headers["conversation-id"], asked_at, headers), response)


async def hear(
    target: Target, request: Request, contract: str = "a message gets a reply", *, who: str = OWNER
) -> Heard:
    """A reply, read to its end and checked against the grammar."""
    async with reading(target, request, contract, who) as reply:
        await read_out(target, reply, who=who)
    return reply.heard


async def read_out(target: Target, reply: Reading, *, who: str = OWNER) -> None:
    """Read the rest of a reply. A long one is cancelled: its stream is complete, too."""
    async with stopped_after(target, reply, LONG_SECONDS, who):
        await reply.to_the_end()
    reply.heard.transcript()


@asynccontextmanager
async def stopped_after(target: Target, reply: Reading, seconds: float, who: str = OWNER) -> AsyncGenerator[None]:
    """Cancel the reply after this many seconds, unless the block ends first."""
    over = asyncio.Event()
    stopping = asyncio.create_task(_stop(target, reply.heard.reply_id, seconds, over, who))
    try:
        yield
    finally:
        over.set()  # the task is not cancelled, because its request may be in flight
        await asyncio.wait([stopping])


async def hear_well(target: Target, request: Request, contract: str = "a message gets a reply") -> Heard:
    """A reply that does not fail. Raises `Unseen` if it does, because a bot may fail."""
    heard = await hear(target, request, contract)
    told = heard.transcript()
    if told.failed:
        raise Unseen(f"the reply to {shown(request)[:100]} failed: {told.end['detail']}")
    return heard


async def _stop(target: Target, reply_id: str, seconds: float, over: asyncio.Event, who: str) -> None:
    """Failures to stop are left to the law `cancel`."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await over.wait()
            return
    with contextlib.suppress(Broken, Unseen, httpx.TransportError, TimeoutError):
        async with asyncio.timeout(_ANSWER_SECONDS):
            await target.ask(cancelled(reply_id), who)
