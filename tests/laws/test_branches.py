"""The law of branches: what a bot is told is exactly the path from the root to its message, and so is what is shown."""

import itertools
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.chat.errors import BotFailed
from app.chat.model import Conversation
from tests.support.addresses import BOTH, conversation_at
from tests.support.asgi import Client, Whole
from tests.support.databases import fresh_database_url
from tests.support.talk import service

Way = Literal["after", "edits", "regenerates"]
_FAIL = "fail"
_numbers = itertools.count(1)


@dataclass(slots=True)
class _Scripted:
    """Says something new each time, or fails; and remembers what it was told last."""

    told: list[tuple[str, str]] = field(default_factory=list)

    async def reply(self, conversation: Conversation) -> AsyncGenerator[str, None]:
        """A number that it has not said before."""
        self.told = [(message.role, message.text) for message in conversation.messages]
        if conversation.user_message.startswith(_FAIL):
            raise BotFailed
        yield f"answer {next(_numbers)}"


@dataclass(frozen=True, slots=True)
class _Ask:
    """A message or a reply anew: behind the chosen branch, or beside a reply. With a key, it may be repeated."""

    way: Way
    of: int
    path: str
    fails: bool
    repeats: bool


@dataclass(frozen=True, slots=True)
class _Choose:
    """A branch, to be remembered or only to be shown."""

    of: int
    is_remembered: bool


@dataclass(slots=True, eq=False)
class _Turn:
    """A reply, its message, and the turn before it."""

    before: "_Turn | None"
    message: "_Message"
    reply_id: str
    text: str


@dataclass(slots=True, eq=False)
class _Message:
    text: str


@dataclass(slots=True)
class _Model:
    """A conversation, and what it has to be."""

    conversation_id: str = ""
    turns: list[_Turn] = field(default_factory=list)
    chosen: _Turn | None = None

    def line(self, turn: _Turn | None) -> list[_Turn]:
        """The turns from the first one to this one."""
        line: list[_Turn] = []
        while turn is not None:
            line.insert(0, turn)
            turn = turn.before
        return line

    def leaf(self, turn: _Turn) -> _Turn:
        """The newest turn behind this one; replies to the same message are beside it, not behind."""
        return [other for other in self.turns if turn in self.line(other)][-1]

    def newest(self, replies: list[_Turn]) -> _Turn:
        """The one of these replies that the newest turn is behind."""
        return max(replies, key=lambda reply: self.turns.index(self.leaf(reply)))

    def told(self, before: _Turn | None, message: str) -> list[tuple[str, str]]:
        """What the bot hears: all turns that have an answer, and the message."""
        answered = [turn for turn in self.line(before) if turn.text]
        said = [said for turn in answered for said in (("user", turn.message.text), ("assistant", turn.text))]
        return [*said, ("user", message)]

    def shown(self, leaf: _Turn) -> list[tuple[str, Any]]:
        """Texts with the branches that begin there."""
        shown: list[tuple[str, Any]] = []
        for turn in self.line(leaf):
            beside = [other for other in self.turns if other.before is turn.before]
            versions = list(dict.fromkeys(other.message for other in beside))
            newest = [self.newest([other for other in beside if other.message is version]) for version in versions]
            replies = [other for other in beside if other.message is turn.message]
            shown += [
                (turn.message.text, _branches(newest, newest[versions.index(turn.message)])),
                (turn.text, _branches(replies, turn)),
            ]
        return shown


def _branches(turns: list[_Turn], turn: _Turn) -> object:
    if len(turns) < 2:  # it begins no branch
        return None
    return {"index": turns.index(turn), "reply_ids": [other.reply_id for other in turns]}


@dataclass(slots=True)
class _Place:
    """A service: its instances, which are asked in turn, and the bot of them all."""

    clients: list[Client]
    bot: _Scripted
    turn: int = 0

    async def send(self, method: str, path: str, body: dict[str, str] | None = None, key: str = "") -> Whole:
        """To the next instance."""
        self.turn += 1
        headers = {"idempotency-key": key} if key else {}
        return await self.clients[self.turn % len(self.clients)].request(method, path, json=body, headers=headers)

    async def hold(self, ops: list[_Ask | _Choose]) -> None:
        """Do all that, and compare after each step."""
        model = _Model()
        for op in (_Ask("after", 0, BOTH[0], fails=False, repeats=False), *ops):
            match op:
                case _Ask():
                    await self._ask(model, op)
                case _Choose():
                    turn = model.turns[op.of % len(model.turns)]
                    if op.is_remembered:
                        path = conversation_at(model.conversation_id)
                        assert (await self.send("PATCH", path, {"branch": turn.reply_id})).status == 200
                        model.chosen = model.leaf(turn)
                    await self._look(model, model.leaf(turn), f"&branch={turn.reply_id}")
            assert model.chosen is not None
            await self._look(model, model.chosen, "")

    async def _ask(self, model: _Model, op: _Ask) -> None:
        message = _Message(f"{_FAIL if op.fails else 'ask'} {next(_numbers)}")
        body = {"user_message": message.text}
        before = model.chosen
        if model.conversation_id:
            body["conversation_id"] = model.conversation_id
        if op.way != "after" and model.turns:
            beside = model.turns[op.of % len(model.turns)]
            before = beside.before
            body[op.way] = beside.reply_id
            if op.way == "regenerates":
                message = beside.message
                del body["user_message"]
        key = f"key {next(_numbers)}".replace(" ", "-") if op.repeats else ""
        answer = await self.send("POST", op.path, body, key)
        assert self.bot.told == model.told(before, message.text)
        turn = _Turn(before, message, answer.headers["reply-id"], "")
        if not message.text.startswith(_FAIL):
            assert answer.status == 200, answer.content
            turn.text = self.bot_said(answer, op.path)
        model.conversation_id = answer.headers["conversation-id"]
        model.turns.append(turn)
        model.chosen = turn
        if op.repeats:
            again = await self.send("POST", op.path, body, key)
            assert self.bot.told == model.told(before, message.text)
            assert (again.headers["reply-id"] == turn.reply_id) == bool(turn.text)
            turn.reply_id = again.headers["reply-id"]  # one that failed is replaced

    @staticmethod
    def bot_said(answer: Whole, path: str) -> str:
        """The text of the reply."""
        return str(answer.json()["text"] if path == BOTH[1] else answer.transcript().text)

    async def _look(self, model: _Model, leaf: _Turn, query: str) -> None:
        shown: list[tuple[str, Any]] = []
        cursor = ""
        while True:
            answer = await self.send("GET", f"{conversation_at(model.conversation_id)}?limit=3{query}{cursor}")
            conversation = answer.json()
            shown += [(message["text"], message.get("branches")) for message in conversation["messages"]]
            if "next_cursor" not in conversation:
                break
            cursor = f"&cursor={conversation['next_cursor']}"
        assert shown == model.shown(leaf)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
async def place(request: pytest.FixtureRequest) -> AsyncGenerator[_Place, None]:
    """One instance on SQLite, two on PostgreSQL."""
    url = fresh_database_url(request.param)
    bot = _Scripted()
    async with AsyncExitStack() as stack:
        count = 2 if request.param == "postgresql" else 1
        clients = [(await stack.enter_async_context(service(url, bot)))[0] for _ in range(count)]
        yield _Place(clients, bot)


_WHICH = st.integers(0, 9)
_WAYS: list[Way] = ["after", "edits", "regenerates"]
_OPS = st.one_of(
    st.builds(_Ask, st.sampled_from(_WAYS), _WHICH, st.sampled_from(BOTH), st.booleans(), st.booleans()),
    st.builds(_Choose, _WHICH, st.booleans()),
)
_PROFILE = settings.get_profile("laws")


@settings(_PROFILE, max_examples=max(10, (_PROFILE.max_examples or 0) // 4))
@given(st.lists(_OPS, min_size=1, max_size=8))
async def test_what_the_bot_is_told_is_the_path_from_the_root(place: _Place, ops: list[_Ask | _Choose]) -> None:
    """After whatever was edited, regenerated, chosen, repeated and failed, in any order."""
    await place.hold(ops)
