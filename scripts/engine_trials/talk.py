"""A client of the service, for trials: what one message comes to, and when each part of it arrives."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx

_OK = 200


@dataclass(slots=True)
class Heard:
    """What one request has come to."""

    status: int = 0
    reply_id: str = ""
    words: list[str] = field(default_factory=list)
    reads: int = 0
    """In so many reads from the network the words came."""
    end: str = ""
    """`done`, `failed` or `refused`; nothing while it runs."""
    said: dict[str, Any] = field(default_factory=dict)
    """The reply, or the problem."""

    @property
    def text(self) -> str:
        return "".join(self.words)

    @property
    def usage(self) -> dict[str, int]:
        """Empty if there is none."""
        return self.said.get("usage") or {}

    @property
    def outcome(self) -> str:
        """In a few words: how it ended."""
        if self.end == "done":
            return f"`{self.said['finish_reason']}`"
        code = str(self.said.get("type", "")).rpartition(":")[2]
        return f"`failed` with `{code}`" if self.end == "failed" else f"{self.status} `{code}`"


class Client:
    """An async context manager."""

    def __init__(self, url: str) -> None:
        """Of one service."""
        self._http = httpx.AsyncClient(base_url=url, trust_env=False, timeout=None)  # noqa: S113 - trials have bounds

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def ask(self, message: str, conversation_id: str | None = None) -> Heard:
        """A whole reply."""
        heard = Heard()
        async with aclosing(self.listen(heard, message, conversation_id)) as moments:
            async for _ in moments:
                pass
        return heard

    async def listen(
        self, heard: Heard, message: str, conversation_id: str | None = None
    ) -> AsyncGenerator[None, None]:
        """Yields whenever `heard` has grown: first when there is a status."""
        body = {"user_message": message} | ({"conversation_id": conversation_id} if conversation_id else {})
        async with self._http.stream("POST", "/api/chat", json=body) as response:
            heard.status = response.status_code
            if response.status_code != _OK:
                heard.said = json.loads(await response.aread())
                heard.end = "refused"
                return
            heard.reply_id = response.headers["reply-id"]
            yield
            rest = ""
            with suppress(httpx.RemoteProtocolError):  # then it has no end
                async for piece in response.aiter_text():
                    *events, rest = (rest + piece).split("\n\n")
                    before = len(heard.words)
                    for event in events:
                        _take(heard, event)
                    if len(heard.words) > before:
                        heard.reads += 1
                    yield

    async def cancel(self, reply_id: str) -> None:
        """As a user's stop button does."""
        await self._http.post(f"/api/replies/{reply_id}/cancel")


def _take(heard: Heard, event: str) -> None:
    lines = event.splitlines()
    data = "\n".join(line.removeprefix("data:").removeprefix(" ") for line in lines if line.startswith("data:"))
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("event:")), "")
    if name:
        heard.end = name
        heard.said = json.loads(data)
    elif data:
        heard.words.append(data)
