"""Law 7: another principal's data is as if it did not exist: nobody can see, resume, cancel, delete or list it."""

import itertools
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.main import create_app
from tests.support.asgi import Client, Whole
from tests.support.databases import fresh_database_url
from tests.support.keys import bearer, made_key
from tests.support.laws import costly
from tests.support.settings import Settings
from tests.support.strangers import WAYS, Ids, Request, ask, cancelled, deleted, read
from tests.support.valkey import sharing

Kind = Literal["running", "done", "failed", "cancelled"]
_MESSAGES: dict[Kind, str] = {
    "running": "/simulate stall_after=3\none two three four",
    "done": "one two three four",
    "failed": "/simulate fail_after=3\none two three four",
}
_LAST: dict[Kind, bytes] = {
    "running": b"data: two ",
    "done": b"event: done",
    "failed": b"event: failed",
    "cancelled": b'"finish_reason":"cancelled"',
}
"""What the owner reads at the end of each of them."""
_NAMES = ("alice", "bob", "carol")
_NOBODY = ""
"""The owner of everything from before there were keys."""

_numbers = itertools.count(2**100)


def _nothing() -> Ids:
    return Ids(f"{next(_numbers):032x}", f"{next(_numbers):032x}")


@dataclass(frozen=True, slots=True)
class _Begin:
    """A message, optionally with an idempotency key, in a new conversation, an own one, or another's."""

    who: str
    kind: Kind
    key: str | None
    of: int | None

    def request(self, conversation_id: str | None) -> Request:
        return ask(_MESSAGES[self.kind], conversation_id, self.key)


@dataclass(frozen=True, slots=True)
class _Probe:
    """An attempt at access by another principal, or by the owner after deletion."""

    who: int
    of: int
    way: str
    word: int


@dataclass(frozen=True, slots=True)
class _Own:
    """An operation by the owner."""

    what: Literal["read", "cancel", "delete"]
    of: int


@dataclass(slots=True)
class _Thing:
    """A reply."""

    ids: Ids
    owner: str
    kind: Kind
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class _Known:
    """A use of an idempotency key."""

    request: Request
    thing: _Thing

    def is_asked_again_by(self, request: Request) -> bool:
        """A retry of the request that started a conversation may name that conversation."""
        named = {"conversation_id": self.thing.ids.conversation, **(self.request.body or {})}
        return request.body in (self.request.body, named)


@dataclass(slots=True)
class _World:
    """A service, and a model of everything stored in it."""

    clients: list[Client]
    """One for each instance, which are asked in turn."""
    credentials: dict[str | None, dict[str, str]]
    old: Ids
    things: list[_Thing] = field(default_factory=list)
    keys: dict[tuple[str, str], _Known] = field(default_factory=dict)
    turn: int = 0

    @property
    def client(self) -> Client:
        """The next one."""
        self.turn += 1
        return self.clients[self.turn % len(self.clients)]

    async def do(self, op: _Begin | _Probe | _Own) -> None:
        """Perform an operation, and check the result."""
        match op:
            case _Begin():
                await self._begin(op)
            case _Probe():
                await self._probe(op)
            case _Own():
                await self._own(op)

    async def look(self) -> None:
        """Check that every principal still has everything that it had, and sees nothing else."""
        cursors: list[str] = []
        for name in _NAMES:
            own = {thing.ids.conversation for thing in self.things if thing.owner == name and not thing.is_gone}
            listed: list[str] = []
            query = "?limit=1"
            while query:
                page = await self._list(name, query)
                listed += [conversation["conversation_id"] for conversation in page["conversations"]]
                cursors += [page["next_cursor"]] if "next_cursor" in page else []
                query = f"?limit=1&cursor={page['next_cursor']}" if "next_cursor" in page else ""
            assert len(listed) == len(own)
            assert set(listed) == own
            for cursor in cursors:  # the others', too
                page = await self._list(name, f"?cursor={cursor}")
                assert {conversation["conversation_id"] for conversation in page["conversations"]} <= own
        for thing in self.things:
            if not thing.is_gone:
                await self._read(thing.owner, read(thing.ids), thing.kind)
                if thing.kind == "running":
                    assert (await self._send(thing.owner, ask("busy?", thing.ids.conversation))).status == 409

    async def forget(self) -> None:
        """Clean up for the next example, even after a failure."""
        for thing in self.things:
            await self._send(thing.owner, deleted(thing.ids))
        self.things.clear()
        self.keys.clear()

    async def _begin(self, op: _Begin) -> None:
        other = self.things[op.of % len(self.things)] if op.of is not None and self.things else None
        request = op.request(other.ids.conversation if other else None)
        known = self.keys.get((op.who, op.key or ""))
        if known is not None and not known.is_asked_again_by(request):
            assert (await self._send(op.who, request)).status == 409
        elif known is not None and known.thing.kind != "failed":
            assert await self._read(op.who, request, known.thing.kind) == known.thing.ids
        elif known is not None and "running" in {thing.kind for thing in self._beside(known.thing)}:
            assert (await self._send(op.who, request)).status == 409
        elif known is not None:  # a failed reply does not count, and is replaced
            ids = await self._read(op.who, request, "failed")
            assert (ids.conversation, ids.reply == known.thing.ids.reply) == (known.thing.ids.conversation, False)
            known.thing.ids = ids
        elif other is not None and (other.is_gone or other.owner != op.who):
            nothing = op.request(_nothing().conversation)
            _assert_same(await self._send(op.who, request), await self._send(op.who, nothing), 404)
        elif other is not None and "running" in {thing.kind for thing in self._beside(other)}:
            assert (await self._send(op.who, request)).status == 409
        else:
            thing = _Thing(await self._read(op.who, request, op.kind), op.who, op.kind)
            assert thing.ids.reply not in {other.ids.reply for other in self.things}
            self.things.append(thing)
            if op.key:
                self.keys[op.who, op.key] = _Known(request, thing)

    async def _probe(self, op: _Probe) -> None:
        things = [*self.things, _Thing(self.old, _NOBODY, "done")]
        thing = things[op.of % len(things)]
        strangers = [who for who in (*_NAMES, None) if thing.is_gone or who != thing.owner]
        who = strangers[op.who % len(strangers)]
        theirs, none = WAYS[op.way](thing.ids, op.word), WAYS[op.way](_nothing(), op.word)
        _assert_same(await self._send(who, theirs), await self._send(who, none), 404 if who else 401)

    async def _own(self, op: _Own) -> None:
        things = [thing for thing in self.things if not thing.is_gone]
        if not things:
            return
        thing = self.things[op.of] if op.of < len(self.things) and not self.things[op.of].is_gone else things[0]
        match op.what:
            case "read":
                await self._read(thing.owner, read(thing.ids), thing.kind)
            case "cancel":
                assert (await self._send(thing.owner, cancelled(thing.ids))).status == 204
                thing.kind = "cancelled" if thing.kind == "running" else thing.kind
                await self._read(thing.owner, read(thing.ids), thing.kind)
            case "delete":
                assert (await self._send(thing.owner, deleted(thing.ids))).status == 204
                for other in self._beside(thing):
                    other.is_gone, other.kind = True, "done"
                self.keys = {key: known for key, known in self.keys.items() if not known.thing.is_gone}

    def _beside(self, thing: _Thing) -> list[_Thing]:
        return [other for other in self.things if other.ids.conversation == thing.ids.conversation]

    async def _read(self, who: str, request: Request, kind: Kind) -> Ids:
        """Read a stream until it ends or stalls."""
        headers = dict(request.headers) | self.credentials[who]
        async with self.client.stream(request.method, request.path, json=request.body, headers=headers) as response:
            said = b""
            async for chunk in response.chunks():
                said += chunk
                if kind == "running" and _LAST[kind] in said:
                    break
            assert response.status == 200, said
            assert _LAST[kind] in said
            return Ids(response.headers["reply-id"], response.headers["conversation-id"])

    async def _list(self, who: str, query: str) -> dict[str, Any]:
        answer = await self._send(who, Request("GET", f"/api/conversations{query}"))
        assert answer.status == 200
        page: dict[str, Any] = answer.json()
        return page

    async def _send(self, who: str | None, request: Request) -> Whole:
        headers = dict(request.headers) | self.credentials[who]
        return await self.client.request(request.method, request.path, json=request.body, headers=headers)


def _assert_same(theirs: Whole, none: Whole, status: int) -> None:
    """Compare bytes and the order of headers, except the request id."""
    same = [
        [(name, value) for name, value in answer.headers.items() if name != "x-request-id"] for answer in (theirs, none)
    ]
    assert same[0] == same[1]
    assert (theirs.status, theirs.content) == (none.status, none.content)
    assert theirs.status == status, theirs.content


@asynccontextmanager
async def _world(instances: int, **known: object) -> AsyncIterator[_World]:
    own = Settings.model_validate({"bot": "simulator", "resume_window_seconds": 3600} | known)
    async with Client(create_app(own)) as client:
        old = await client.request("POST", "/api/chat", json={"user_message": "before there were keys"})
    keys: dict[str | None, dict[str, str]] = {None: {}}
    for name in _NAMES:
        keys[name] = {"authorization": bearer((await made_key(own.database_url, name))[0])}
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Client(create_app(own))) for _ in range(instances)]
        yield _World(clients, keys, Ids(old.headers["reply-id"], old.headers["conversation-id"]))


@pytest.fixture(scope="module")
async def worlds() -> AsyncGenerator[list[_World], None]:
    """One service that keeps ended replies in memory, and one that reads them from the store."""
    async with _world(1, retention_seconds=3600) as first, _world(1, retention_seconds=0) as second:
        yield [first, second]


@pytest.fixture(scope="module")
async def of_two() -> AsyncGenerator[_World, None]:
    """A service of two instances, which are asked in turn."""
    async with _world(2, database_url=fresh_database_url("postgresql"), **sharing()) as world:
        yield world


_SOME = st.integers(0, 7)
_OPS = st.one_of(
    st.builds(
        _Begin,
        st.sampled_from(_NAMES),
        st.sampled_from(list(_MESSAGES)),
        st.none() | st.sampled_from(["k", "l"]),
        st.none() | _SOME,
    ),
    st.builds(_Probe, _SOME, _SOME, st.sampled_from(sorted(WAYS)), st.integers(0, 5)),
    st.builds(_Own, st.sampled_from(["read", "cancel", "delete"]), _SOME),
)
_AT_FIRST = (_Begin("alice", "running", None, None), _Begin("bob", "done", "k", None))
"""Ensures that there is always something to access."""


@settings(settings.get_profile("laws"))
@given(st.integers(0, 1), st.lists(_OPS, min_size=1, max_size=12))
async def test_what_is_anothers_is_as_if_it_were_not_there(
    worlds: list[_World], which: int, ops: list[_Begin | _Probe | _Own]
) -> None:
    """Whatever anybody does, in any order; and nobody notices what others try."""
    await _hold(worlds[which], ops)


@costly(3)
@given(st.lists(_OPS, min_size=1, max_size=12))
async def test_nor_is_it_there_at_two_instances(of_two: _World, ops: list[_Begin | _Probe | _Own]) -> None:
    """Each request may reach the one that did not get the last."""
    await _hold(of_two, ops)


async def _hold(world: _World, ops: list[_Begin | _Probe | _Own]) -> None:
    try:
        for op in (*_AT_FIRST, *ops):
            await world.do(op)
        await world.look()
    finally:
        await world.forget()
