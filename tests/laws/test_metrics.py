"""The law of metrics: after any sequence of requests, the counters equal what clients saw, and nothing is open."""

import itertools
import json
import re
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st

from app.main import create_app
from tests.support.addresses import CHAT, WHOLE, cancel_of, conversation_at, events_of
from tests.support.asgi import Client, Response
from tests.support.bots import no_open_reply
from tests.support.scraping import Series, grown, scraped
from tests.support.settings import Settings

_PROFILE = settings.get_profile("laws")
_PRESENT = (
    "chat_replies_running",
    "chat_streams_open",
    'chat_readers_open{kind="stream"}',
    'chat_readers_open{kind="json"}',
)
_COUNTED = (
    "chat_attaches_total",
    "chat_cancels_total",
    "chat_refusals_total",
    "chat_replies_total",
    "chat_reply_failures_total",
    "chat_reply_words",
    "chat_resumes_total",
    "chat_slow_readers_cut_total",
    "chat_time_to_first_word_seconds_count",
    "chat_word_gap_seconds_count",
    "chat_reply_duration_seconds_count",
)
_keys = itertools.count()

Way = Literal["/api/chat", "/api/replies"]


@dataclass(frozen=True, slots=True)
class Ask:
    """Get a reply of so many words; perhaps one that then fails, or fails before it."""

    way: Way
    words: int
    failure: Literal["", "late", "early"] = ""
    with_key: bool = False


@dataclass(frozen=True, slots=True)
class Break:
    """Read some words of a reply that has more, and end it in one of the possible ways."""

    words: int
    how: Literal["leave", "cancel", "message", "delete"]


@dataclass(frozen=True, slots=True)
class Again:
    """Ask for a reply that there is, from the start or after some of its words."""

    words: int
    after: int
    how: Literal["get", "post", "whole", "key"]


@dataclass(frozen=True, slots=True)
class Bad:
    """Be refused."""

    what: Literal["path", "body", "schema", "reply", "ahead", "busy", "accept"]


Op = Ask | Break | Again | Bad


@dataclass(slots=True)
class Seen:
    """What the client has seen, as the series that should tell it."""

    client: Client
    source: str
    expected: Counter[str] = field(default_factory=Counter)
    begun: set[Response] = field(default_factory=set)
    """Streams with at least one word."""

    async def do(self, op: Op) -> None:
        """Send the requests of a step."""
        match op:
            case Ask():
                await self._ask(op)
            case Break():
                await self._break(op)
            case Again():
                await self._again(op)
            case Bad():
                await self._be_refused(op)

    async def _ask(self, op: Ask) -> None:
        directive = {"": "", "late": f"/simulate fail_after={op.words}\n", "early": "/simulate status=503\n"}
        message = directive[op.failure] + "word " * op.words
        headers = {"Idempotency-Key": f"key-{next(_keys)}"} if op.with_key else {}
        await self._post(op.way, message, headers)
        if op.failure == "early":
            self._ended("failed", 0)
            self._failed("bot-unavailable")
            self._refused(503, "bot-unavailable")
        elif op.failure == "late":
            self._ended("failed", op.words)
            self._failed("bot-failed")
            if op.way == WHOLE:
                self._refused(502, "bot-failed")
        else:
            self._ended("completed", op.words)

    async def _break(self, op: Break) -> None:
        async with self.client.stream("POST", CHAT, json=_stalling(op.words)) as response:
            reply_id, conversation_id = response.headers["reply-id"], response.headers["conversation-id"]
            await self._read(response, op.words)
            if op.how == "leave":
                response.leave()
            elif op.how == "cancel":
                await self._request("POST", cancel_of(reply_id))
            elif op.how == "delete":
                await self._request("DELETE", conversation_at(conversation_id))
            else:
                body = {"user_message": "word", "conversation_id": conversation_id, "on_busy": "cancel"}
                await self._post(CHAT, "word", body=body)
                self._ended("completed", 1)
            await self._read(response, None)
        is_left = op.how == "leave"
        self._ended("abandoned" if is_left else "cancelled", op.words + 1)
        by = {"leave": "leaving", "cancel": "client", "message": "message", "delete": "deletion"}
        self.expected[f'chat_cancels_total{{by="{by[op.how]}"}}'] += 1

    async def _again(self, op: Again) -> None:
        key = {"Idempotency-Key": f"key-{next(_keys)}"}
        body = {"user_message": "word " * op.words}
        reply_id = json.loads(await self._request("POST", WHOLE, body, key))["reply_id"]
        self._ended("completed", op.words)
        cursor = {"Last-Event-ID": f"{reply_id}:{min(op.after, op.words)}"}
        match op.how:
            case "get":
                await self._request("GET", events_of(reply_id), headers=cursor)
            case "post":
                await self._post(CHAT, body["user_message"], cursor)
            case "whole":
                await self._request("GET", events_of(reply_id))
                self.expected['chat_attaches_total{by="address"}'] += 1
            case "key":
                await self._post(CHAT, body["user_message"], key)
                self.expected['chat_attaches_total{by="key"}'] += 1
        if op.how in {"get", "post"}:
            self.expected[f'chat_resumes_total{{from="{self.source}"}}'] += 1

    async def _be_refused(self, op: Bad) -> None:
        nobody = "0" * 32
        match op.what:
            case "path":
                await self._request("GET", "/nothing/here")
                self._refused(404, "path-not-found")
            case "body":
                await self._request("POST", CHAT, headers={"content-type": "application/json"})
                self._refused(400, "malformed-body")
            case "schema":
                await self._request("POST", WHOLE, {"user_message": 1})
                self._refused(422, "invalid-body")
            case "reply":
                await self._request("GET", events_of(nobody))
                self._refused(404, "reply-not-found")
            case "accept":
                await self._request("POST", CHAT, {"user_message": "word"}, {"Accept": "text/html"})
                self._refused(406, "stream-only")
            case "ahead":
                reply_id = json.loads(await self._request("POST", WHOLE, {"user_message": "word"}))["reply_id"]
                self._ended("completed", 1)
                await self._request("GET", events_of(reply_id), headers={"Last-Event-ID": f"{reply_id}:2"})
                self._refused(409, "cursor-ahead")
            case "busy":
                async with self.client.stream("POST", CHAT, json=_stalling(1)) as response:
                    body = {"user_message": "word", "conversation_id": response.headers["conversation-id"]}
                    await self._request("POST", CHAT, body)
                    self._refused(409, "conversation-busy")
                    await self._read(response, 1)
                self._ended("abandoned", 2)
                self.expected['chat_cancels_total{by="leaving"}'] += 1

    async def _request(
        self, method: str, path: str, body: Mapping[str, object] | None = None, headers: dict[str, str] | None = None
    ) -> bytes:
        async with self.client.stream(method, path, json=body, headers=headers) as response:
            return await self._read(response, None)

    async def _post(
        self, path: str, message: str, headers: dict[str, str] | None = None, body: Mapping[str, object] | None = None
    ) -> None:
        await self._request("POST", path, body or {"user_message": message}, headers)

    async def _read(self, response: Response, words: int | None) -> bytes:
        """Read so many words, or all; each send after the first is a gap."""
        read = b""
        is_stream = response.headers.get("content-type", "").startswith("text/event-stream")
        async for chunk in response.chunks():
            read += chunk
            if is_stream and b"\nid: " in chunk:
                self.expected["chat_word_gap_seconds_count"] += response in self.begun
                self.begun.add(response)
            if words is not None and read.count(b"\nid: ") >= words:
                break
        return read

    def _ended(self, outcome: str, words: int) -> None:
        self.expected[f'chat_replies_total{{bot="simulator",outcome="{outcome}"}}'] += 1
        self.expected[f'chat_reply_duration_seconds_count{{outcome="{outcome}"}}'] += 1
        self.expected["chat_reply_words_count"] += 1
        self.expected["chat_reply_words_sum"] += words
        if words:
            self.expected['chat_time_to_first_word_seconds_count{bot="simulator"}'] += 1

    def _failed(self, code: str) -> None:
        self.expected[f'chat_reply_failures_total{{type="{code}"}}'] += 1

    def _refused(self, status: int, code: str) -> None:
        self.expected[f'chat_refusals_total{{status="{status}",type="{code}"}}'] += 1


def _stalling(words: int) -> Mapping[str, object]:
    """A message whose reply stops in the middle of a word, which comes when it is ended."""
    return {"user_message": f"/simulate stall_after={words + 1}\n" + "word " * (words + 2)}


@pytest.fixture(scope="module", params=["memory", "storage"])
async def service(request: pytest.FixtureRequest) -> AsyncGenerator[tuple[FastAPI, Client, str], None]:
    """One for all examples; ended replies are in memory, or only in the database."""
    app = create_app(Settings(bot="simulator", retention_seconds=60 if request.param == "memory" else 0))
    async with Client(app) as client:
        yield app, client, request.param


_WORDS = st.integers(1, 6)
_OPS: st.SearchStrategy[Op] = st.one_of(
    st.builds(Ask, st.sampled_from([CHAT, WHOLE]), _WORDS, st.sampled_from(["", "late", "early"]), st.booleans()),
    st.builds(Break, _WORDS, st.sampled_from(["leave", "cancel", "message", "delete"])),
    st.builds(Again, _WORDS, st.integers(0, 6), st.sampled_from(["get", "post", "whole", "key"])),
    st.builds(Bad, st.sampled_from(["path", "body", "schema", "reply", "ahead", "busy", "accept"])),
)


@settings(_PROFILE, max_examples=max(10, (_PROFILE.max_examples or 0) // 2))
@given(st.lists(_OPS, min_size=1, max_size=8))
async def test_the_counters_equal_what_clients_saw(service: tuple[FastAPI, Client, str], ops: list[Op]) -> None:
    """Whatever they did, in any order; and what is open or running is none in the end."""
    app, client, source = service
    await no_open_reply(app)
    before = await scraped(client)
    seen = Seen(client, source)
    for op in ops:
        await seen.do(op)
    await no_open_reply(app)
    after = await scraped(client)
    grew = grown(before, after)
    assert {name: grew[name] for name in grew if name.startswith(_COUNTED) and "_bucket" not in name} == +seen.expected
    assert [after[name] for name in _PRESENT] == [0, 0, 0, 0]
    _check_histograms(after)


def _check_histograms(after: Series) -> None:
    """The last bucket is the count, and none is smaller than the one before."""
    buckets: dict[str, list[float]] = {}
    for name, value in after.items():
        if "_bucket" in name:
            buckets.setdefault(re.sub(r'le="[^"]*",?|,le="[^"]*"', "", name), []).append(value)
    for name, values in buckets.items():
        assert values == sorted(values)
        assert values[-1] == after[name.replace("_bucket", "_count").replace("{}", "")]
