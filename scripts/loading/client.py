"""A client that does what docs/clients.md says: one key a message, and asking again after the last word until the end.

It checks every word as it comes: the next number, the next piece of the text.
"""

import asyncio
import json
import random
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from time import monotonic
from typing import Any

import aiohttp

from chat_verify.sse import Event, Parser

from .tally import Tally

PAUSE_SECONDS = 1.0
"""Before asking again."""
PATIENCE_SECONDS = 60.0
"""Without anything new, after which a reply is lost."""
NOT_NOW = {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}
"""A restart, or a proxy's own answer."""


class Wrong(Exception):
    """What a client that follows the documentation must never see. `str` has what came."""

    def __init__(self, what: str, came: object) -> None:
        super().__init__(str(came))
        self.what = what


@dataclass(slots=True)
class Reading:
    """A reply as far as one client has read it."""

    message: str
    expected: str | None
    """The whole text, if it is known."""
    key: str = field(default_factory=lambda: secrets.token_hex(16))
    reply_id: str = ""
    conversation_id: str = ""
    words: int = 0
    text: str = ""
    end: dict[str, Any] | None = None
    """The data of `done`."""
    news_at: float = field(default_factory=monotonic)
    """When something new came, or a client began to wait."""

    def cursor(self) -> str:
        return f"{self.reply_id}:{self.words}"


class Client:
    """Asks one of several addresses of the same service at a time."""

    def __init__(self, session: aiohttp.ClientSession, addresses: Sequence[str], pace: float, tally: Tally) -> None:
        """`pace` is the time between two words in seconds."""
        self.session = session
        self.tally = tally
        self._addresses = addresses
        self._pace = pace

    def address(self, other_than: str = "") -> str:
        """One of the addresses, another one if there are several."""
        return random.choice([a for a in self._addresses if a != other_than] or list(self._addresses))  # noqa: S311

    async def read(self, reading: Reading, until: int | None = None, *, get: bool = False) -> None:
        """Read to the end, or until there are so many words; then the connection is cut.

        With `get`, the reply is resumed at its own address. Raises `Wrong`.
        """
        reading.news_at = monotonic()
        address = self.address()
        while True:
            try:
                self.tally.open_streams += 1
                try:
                    await self._attempt(reading, address, until, get=get)
                finally:
                    self.tally.open_streams -= 1
                if reading.end is not None or (until is not None and reading.words >= until):
                    return
                self.tally.repaired("clean end")
            except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
                self.tally.repaired(str(error) if isinstance(error, NotNow) else "cut")
            if monotonic() - reading.news_at > PATIENCE_SECONDS:
                raise Wrong("lost", f"nothing new for {PATIENCE_SECONDS:.0f} s after word {reading.words}")
            await asyncio.sleep(PAUSE_SECONDS)
            address = self.address(other_than=address)

    async def stored(self, reading: Reading) -> None:
        """Check that the conversation has the message once, and one reply to it. Raises `Wrong`."""
        found = await self.json("GET", f"/api/conversations/{reading.conversation_id}")
        said = [(message["role"], message["text"]) for message in found["messages"]]
        if [role for role, _ in said] != ["user", "assistant"]:
            raise Wrong("stored twice or not at all", said)
        if said[1][1] != reading.text:
            raise Wrong("stored otherwise", f"{said[1][1]!r} instead of {reading.text!r}")

    async def made_since(self, moment: datetime) -> list[str]:
        """The ids of conversations that were made since then and are still there. Raises `Wrong`."""
        made: list[str] = []
        cursor = ""
        while True:
            page = await self.json("GET", f"/api/conversations?limit=100{cursor}")
            found = [c for c in page["conversations"] if datetime.fromisoformat(c["updated_at"]) >= moment]
            made += [c["conversation_id"] for c in found if datetime.fromisoformat(c["created_at"]) >= moment]
            if len(found) < len(page["conversations"]) or "next_cursor" not in page:
                return made
            cursor = f"&cursor={page['next_cursor']}"

    async def json(self, method: str, path: str, *, missing: bool = False) -> Any:  # noqa: ANN401 - JSON
        """The body of an answer, asked for until it is not one of those of a restart. `missing` allows 404.

        Raises `Wrong`.
        """
        begun = monotonic()
        while True:
            try:
                async with self.session.request(method, self.address() + path) as response:
                    content = await response.read()
                    if response.status == HTTPStatus.NOT_FOUND and missing:
                        return None
                    if response.ok:
                        return json.loads(content) if content else None
                    if response.status not in NOT_NOW:
                        raise Wrong(f"{method} answered {response.status}", content)
                    self.tally.repaired(str(response.status))
            except (aiohttp.ClientError, TimeoutError, ConnectionError):
                self.tally.repaired("cut")
            if monotonic() - begun > PATIENCE_SECONDS:
                raise Wrong("no answer", f"{method} {path}")
            await asyncio.sleep(PAUSE_SECONDS)

    async def _attempt(self, reading: Reading, address: str, until: int | None, *, get: bool) -> None:
        begun = monotonic()
        async with self._asked(reading, address, get=get) as response:
            if response.status in NOT_NOW:
                raise NotNow(str(response.status))
            if not response.ok:
                raise Wrong(f"refused with {response.status}", await response.text())
            if reading.words and reading.reply_id != response.headers["Reply-Id"]:
                raise Wrong("another reply", f"{response.headers['Reply-Id']} instead of {reading.reply_id}")
            reading.reply_id = response.headers["Reply-Id"]
            reading.conversation_id = response.headers["Conversation-Id"]
            before: float | None = None
            async for event in _events(response):
                now = reading.news_at = monotonic()
                _take(reading, event)
                if reading.end is not None:
                    return
                if reading.words == 1:
                    self.tally.first(now - begun)
                self.tally.word(None if before is None else max(0.0, now - before - self._pace))
                before = now
                if until is not None and reading.words >= until:
                    response.close()  # cuts the connection
                    return

    def _asked(
        self, reading: Reading, address: str, *, get: bool
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        headers = {"Accept": "text/event-stream"}
        if reading.words:
            headers["Last-Event-ID"] = reading.cursor()
            if get:
                return self.session.get(f"{address}/api/replies/{reading.reply_id}/events", headers=headers)
        headers["Idempotency-Key"] = reading.key
        return self.session.post(f"{address}/api/chat", json={"user_message": reading.message}, headers=headers)


class NotNow(aiohttp.ClientError):
    """An answer that says to ask again. `str` is the status."""


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[Event]:
    parser = Parser()
    async for piece in response.content.iter_any():
        for event in parser.feed(piece):
            yield event


def _take(reading: Reading, event: Event) -> None:
    match event.name:
        case "message":
            _take_word(reading, event)
        case "done":
            _take_end(reading, json.loads(event.data))
        case "failed":
            raise Wrong(f"failed with {json.loads(event.data)['type']}", event.data)
        case _:
            pass  # of a later version


def _take_end(reading: Reading, end: dict[str, Any]) -> None:
    if end["text"] != reading.text or end["words"] != reading.words:
        raise Wrong("the end does not match", f"{end} after {reading.words} words {reading.text!r}")
    if end["finish_reason"] == "stop" and reading.expected not in {None, reading.text}:
        raise Wrong("another text", f"{reading.text!r} instead of {reading.expected!r}")
    reading.end = end


def _take_word(reading: Reading, event: Event) -> None:
    reading.text += event.data
    reading.words += 1
    if event.id != reading.cursor():
        raise Wrong("a word lost or doubled", f"{event.id} instead of {reading.cursor()}")
    if reading.expected is not None and not reading.expected.startswith(reading.text):
        raise Wrong("another text", f"{reading.text!r} is no beginning of {reading.expected!r}")
