"""Runs a client program from this folder behind a proxy that cuts it off, and records what it receives."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE
from typing import Any

from tests.support import node
from tests.support.cutting import Cut, CuttingProxy

_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Client:
    """A program, and its options."""

    program: str
    careful: bool = False
    """Whether it chooses itself after which word to resume."""
    key: str | None = None
    """The `Idempotency-Key` that it sends."""
    retry_ms: int | None = 10
    """How long it waits before a retry; `None` for its own default."""


HEY_API = Client("hey_api")
FETCH_EVENT_SOURCE = Client("fetch_event_source")
CAREFUL_FETCH_EVENT_SOURCE = Client("fetch_event_source", careful=True)


@dataclass(slots=True)
class Heard:
    """What a client received, and its requests meanwhile."""

    events: list[dict[str, Any]] = field(default_factory=list)
    requests: list[Mapping[str, str]] = field(default_factory=list)
    """Their headers, by lower-case name."""
    words_at_cuts: list[int] = field(default_factory=list)
    """How many words it had received at each cut."""

    @property
    def words(self) -> list[str]:
        """The data of the words."""
        return [event["data"] for event in self.events if not event.get("name")]

    @property
    def numbers(self) -> list[int]:
        """The numbers in the words' ids."""
        return [int(event["id"].partition(":")[2]) for event in self.events if not event.get("name")]

    @property
    def ends(self) -> list[dict[str, Any]]:
        """The data of `done`, as often as it was received."""
        ends = [event["data"] for event in self.events if event.get("name") == "done"]
        return [json.loads(end) if isinstance(end, str) else end for end in ends]  # hey-api parses JSON


async def ask(client: Client, programs: Path, port: int, message: str, cuts: Sequence[Cut]) -> Heard:
    """Run the client to its end, cutting off its first connections to the server on that port.

    Raises `AssertionError` if it fails, `TimeoutError` if it never ends.
    """
    script = programs / f"{client.program}.js"
    heard = Heard()
    news = asyncio.Condition()
    has_left = False

    async def has_heard(events: int) -> None:
        async with news:
            await news.wait_for(lambda: has_left or len(heard.events) >= events)
        heard.words_at_cuts.append(len(heard.words))

    async with asyncio.timeout(_TIMEOUT_SECONDS), CuttingProxy(port, cuts, has_heard) as proxy:
        heard.requests = proxy.requests
        asked = {"url": proxy.url, "message": message, "careful": client.careful}
        asked |= {"idempotencyKey": client.key, "retryMs": client.retry_ms}
        process = await asyncio.create_subprocess_exec(
            "node", script, json.dumps(asked), env=node.environment(), stdout=PIPE, stderr=PIPE
        )
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            async for line in process.stdout:
                async with news:
                    heard.events.append(json.loads(line))
                    news.notify_all()
            errors = (await process.stderr.read()).decode()
        except BaseException:
            process.kill()
            raise
        finally:
            status = await process.wait()
            has_left = True
            async with news:
                news.notify_all()
    if status != 0:
        raise AssertionError(f"{script} failed, having heard {heard}:\n{errors}")
    return heard
