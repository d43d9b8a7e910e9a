"""A conversation whose messages are retried until each has a reply, with strict checks after every step."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import anyio

from generated.models import Message, Reply
from tests.support.addresses import CHAT, WHOLE, cancel_of, conversation_at, events_of
from tests.support.asgi import Whole
from tests.support.databases import locked
from tests.support.retrying import Ask, AskLocked, Cancel, EndLocked, Op, Plan, Restart, Resume, Service
from tests.support.stream import Parser, check_stream
from tests.support.talk import ask, problem

_GOOD = {"running", "completed", "cancelled"}
_PATIENCE_SECONDS = 60.0
_PATIENCE = 100
"""How often a request is repeated: more often than it can fail."""


@dataclass(slots=True)
class _Read:
    """What a client has received of a reply."""

    reply_id: str
    words: list[str]


@dataclass(slots=True)
class Talk:
    """One conversation, whose messages are retried until they have a reply."""

    service: Service
    texts: tuple[str, ...]
    """The messages; each text is also its idempotency key."""
    conversation_id: str | None = None
    read: dict[str, _Read] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    """How often the bot completed a reply that the database then refused."""

    async def do(self, op: Op) -> None:
        """Perform an operation, and check the result."""
        bot = self.service.bot
        match op:
            case Plan():
                bot.plans.append(op)
            case Ask():
                await self._ask(op)
            case AskLocked():
                await self._ask_locked(op)
            case EndLocked():
                await self._end_locked()
            case Cancel():
                await self._cancel(op)
            case Resume():
                await self._resume(op)
            case Restart():
                await self.service.restart()
        await self.service.settled()
        await self.stored()
        assert bot.doubled == []

    async def insist(self) -> None:
        """Send each message until it has its reply; check that there is exactly one, generated once."""
        bot = self.service.bot
        bot.plans.clear()
        bot.go.set()
        for text in self.texts:
            reply = await self._insisted(text, names=False)
            asked = bot.asked[text]
            assert await self._insisted(text, names=True) == reply
            assert bot.asked[text] == asked
            stored = (await self.stored())[text]
            assert (stored.reply_id, stored.state, stored.text) == (reply.reply_id, reply.state, reply.text)
            assert bot.said_all[text] - self.refused[text] == (1 if reply.state == "completed" else 0)
        assert set(await self.stored()) == set(self.texts)
        bot.wait_again()

    async def stored(self) -> dict[str, Message]:
        """The stored replies by message, in order. Checks that each message is stored once and has one reply."""
        if self.conversation_id is None:
            listed = (await self._got("/api/conversations?limit=100"))["conversations"]
            found = [found["conversation_id"] for found in listed if found["title"] == self.texts[0]]
            assert len(found) <= 1
            if not found:
                return {}
            self.conversation_id = found[0]
        said = [
            Message.model_validate(each)
            for each in (await self._got(conversation_at(self.conversation_id)))["messages"]
        ]
        assert [message.role for message in said] == ["user", "assistant"] * (len(said) // 2)
        replies = {user.text: assistant for user, assistant in zip(said[::2], said[1::2], strict=True)}
        assert len(replies) * 2 == len(said)
        return replies

    async def _got(self, path: str) -> Any:  # noqa: ANN401 - JSON has no narrower type
        """The JSON at a path, retried while the database is busy."""
        with anyio.fail_after(_PATIENCE_SECONDS):
            while (answer := await self.service.client.request("GET", path)).status == 503:
                await anyio.sleep(0.001)
        assert answer.status == 200, answer
        return answer.json()

    async def _insisted(self, text: str, *, names: bool) -> Reply:
        with anyio.fail_after(_PATIENCE_SECONDS):
            for _ in range(_PATIENCE):
                answer = await self._sent(text, names=names)
                if answer.status == 200:
                    return Reply.model_validate_json(answer.content)
                assert answer.json()["retryable"] or answer.status == 500, answer
        raise AssertionError(f"there is still no reply to {text}")

    async def _sent(self, text: str, path: str = WHOLE, *, names: bool = True) -> Whole:
        conversation_id = self.conversation_id if names or text != self.texts[0] else None
        return await ask(self.service.client, text, conversation_id, path, idempotency_key=text)

    async def _ask(self, op: Ask) -> None:
        bot = self.service.bot
        before = await self.stored()
        text = self.texts[op.which if before else 0]
        asked = bot.asked[text]
        if op.leaves == "never":
            bot.go.set()
            answers = await asyncio.gather(
                *[self._sent(text, op.path, names=op.names) for _ in range(2 if op.twice else 1)]
            )
            for answer in answers:
                self._take(text, answer, before)
            bot.wait_again()
        else:
            await self._ask_and_leave(op, text)
        await self.service.settled()
        after = await self.stored()
        known = before.get(text)
        if known is not None and known.state in {"completed", "cancelled"}:
            assert (after[text], bot.asked[text]) == (known, asked)
        elif known is not None and after[text].reply_id == known.reply_id:
            assert bot.asked[text] == asked
        elif any(reply.state == "running" for other, reply in before.items() if other != text):
            assert bot.asked[text] <= asked + 1  # the conversation was busy until the bot went on
        else:
            assert bot.asked[text] <= asked + (2 if op.twice else 1)

    def _take(self, text: str, answer: Whole, before: dict[str, Message]) -> None:
        """Check a complete response."""
        if answer.status != 200:
            status, code = problem(answer)
            if code == "conversation-busy":
                assert any(reply.state == "running" for other, reply in before.items() if other != text)
            elif code == "storage-unavailable":
                self.refused[text] = self.service.bot.said_all[text]
            assert status != 404
            return
        assert answer.headers["conversation-id"] == (self.conversation_id or answer.headers["conversation-id"])
        if answer.headers["content-type"].startswith("text/event-stream"):
            transcript = answer.transcript()
            self.read[text] = _Read(answer.headers["reply-id"], list(transcript.words))
        else:
            reply = Reply.model_validate_json(answer.content)
            assert reply.state in {"completed", "cancelled"}

    async def _ask_and_leave(self, op: Ask, text: str) -> None:
        body = {"user_message": text}
        if self.conversation_id and (op.names or text != self.texts[0]):
            body["conversation_id"] = self.conversation_id
        client = self.service.client
        async with client.open("POST", op.path, json=body, headers={"idempotency-key": text}) as response:
            if op.leaves == "at once" or op.path != CHAT:
                for _ in range(op.which):
                    await anyio.lowlevel.checkpoint()
                return
            await response.head()
            if response.status != 200 or op.leaves == "after the head":
                return
            parser = Parser()
            async for chunk in response.chunks():
                words = [event.data for event in parser.feed(chunk) if event.name == "message"]
                self.read[text] = _Read(response.headers["reply-id"], words)
                return

    async def _ask_locked(self, op: AskLocked) -> None:
        before = await self.stored()
        text = self.texts[op.which if before else 0]
        if any(reply.state == "running" for reply in before.values()):
            return
        bot = self.service.bot
        said_all = bot.said_all[text]
        async with locked(self.service.url):
            answer = await self._sent(text, op.path)
        if text in before and before[text].state in _GOOD:
            assert answer.status == 200
        else:
            assert answer.status != 200  # the bot may have failed first
        self.refused[text] += bot.said_all[text] - said_all

    async def _end_locked(self) -> None:
        bot = self.service.bot
        running = [text for text, reply in (await self.stored()).items() if reply.state == "running"]
        async with locked(self.service.url):
            bot.go.set()
            await self.service.settled()
        bot.wait_again()
        for text in running:  # the reply may be complete, but cannot be returned before it is stored
            asked = bot.asked[text]
            answer = await self._sent(text)
            if answer.status == 503:
                assert problem(answer)[1] in {"reply-elsewhere", "storage-unavailable"}
                assert bot.asked[text] == asked
        with anyio.fail_after(_PATIENCE_SECONDS):
            while any(reply.state == "running" for reply in (await self.stored()).values()):
                await anyio.sleep(0.001)

    async def _cancel(self, op: Cancel) -> None:
        before = await self.stored()
        text = self.texts[op.which]
        if text not in before:
            return
        answer = await self.service.client.request("POST", cancel_of(str(before[text].reply_id)))
        assert answer.status == 204
        await self.service.settled()
        state = before[text].state
        assert (await self.stored())[text].state == ("cancelled" if state == "running" else state)

    async def _resume(self, op: Resume) -> None:
        """Check for exactly the same words; if another reply has replaced it, for 404."""
        text = self.texts[op.which]
        if text not in self.read:
            return
        client, bot, read = self.service.client, self.service.bot, self.read[text]
        stored = (await self.stored()).get(text)
        cursor = f"{read.reply_id}:{len(read.words)}"
        bot.go.set()
        if op.way == "post":
            headers = {"last-event-id": cursor, "idempotency-key": text}
            rest = await client.request("POST", CHAT, json={"user_message": text}, headers=headers)
        elif op.way == "query":
            rest = await client.request("GET", f"{events_of(read.reply_id)}?lastEventId={cursor}")
        else:
            rest = await client.request("GET", events_of(read.reply_id), headers={"last-event-id": cursor})
        bot.wait_again()
        if stored is None or stored.reply_id != read.reply_id:
            assert problem(rest) == (404, "reply-not-found")
        elif rest.status == 200:
            words = (*read.words, *check_stream(rest.content, len(read.words)).words)
            whole = (await client.request("GET", events_of(read.reply_id))).transcript()
            assert whole.words == words
        else:
            assert not read.words
            assert rest.json()["words"] == 0
