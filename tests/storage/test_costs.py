"""A reply's cost is reported however it ends: its words, and its usage if the bot reports it in time."""

from collections.abc import AsyncGenerator
from typing import Any, Literal

import anyio
import pytest

from app.chat.errors import BotFailed
from app.chat.model import Conversation, Finish, Usage
from tests.support.addresses import CHAT, WHOLE, events_of, reply_at
from tests.support.asgi import Client, Whole
from tests.support.bots import ScriptedBot, no_open_reply
from tests.support.databases import run_sql
from tests.support.talk import ask, cancelled, got, messages, problem, service, streamed

How = Literal["completed", "cancelled", "abandoned", "failed", "stopped", "interrupted"]
_STATES = {"abandoned": "cancelled", "stopped": "failed"}
_USAGE = {"prompt_tokens": 7, "completion_tokens": 2}


def _bot(sealed: anyio.Event) -> ScriptedBot:
    """Yields two words and their usage as it goes; then does what the message says."""

    async def says(conversation: Conversation) -> AsyncGenerator[str | Usage | Finish, None]:
        yield Usage(7, 1)
        yield "one "
        yield "two "
        yield Usage(7, 2)
        yield "three "  # the splitter holds it until something follows
        match conversation.user_message:
            case "failed":
                raise BotFailed
            case "completed":
                yield Finish("length")
            case "interrupted":
                await sealed.wait()
            case _:
                await anyio.sleep_forever()

    return ScriptedBot(says)


async def _fails_at_once(_: Conversation) -> AsyncGenerator[str | Usage | Finish, None]:
    yield Usage(7, 0)
    raise BotFailed


async def _end(client: Client, how: How, stopped: anyio.Event) -> dict[str, Any]:
    """Send a message, let its reply end in this way, and return the data of its last event."""
    async with client.stream("POST", CHAT, json={"user_message": how}) as response:
        raw = b""
        async for chunk in response.chunks():
            raw += chunk
            if raw.count(b"\n\n") == 2:
                break
        reply_id = response.headers["reply-id"]
        if how == "cancelled":
            await cancelled(client, reply_id)
        if how == "stopped":
            stopped.set()
        if how in {"abandoned", "interrupted"}:
            return {"reply_id": reply_id}
        transcript = Whole(200, {}, raw + await response.read()).transcript()
    assert transcript.words == ("one ", "two ", "three ")
    return {"reply_id": reply_id} | transcript.end.model_dump()


@pytest.mark.parametrize("how", ["completed", "cancelled", "abandoned", "failed", "stopped", "interrupted"])
async def test_words_and_usage_are_told_however_a_reply_ends(how: How, database_url: str) -> None:
    """In the stream's end, the reply, and the stored message; from memory and from the store."""
    stopped, sealed = anyio.Event(), anyio.Event()
    settings = {"save_every_seconds": 0.02, "retention_seconds": 60, "resume_window_seconds": 0}
    settings["resume_window_seconds"] = 600 if how == "interrupted" else 0
    async with service(database_url, _bot(sealed), **settings) as (client, app):
        async with anyio.create_task_group() as group:

            async def stop() -> None:
                await stopped.wait()
                await app.state.replies.drain(0)

            group.start_soon(stop)
            end = await _end(client, how, stopped)
            group.cancel_scope.cancel()
        reply_id = end["reply_id"]
        if how == "interrupted":
            with anyio.fail_after(60):
                while (await run_sql(database_url, "SELECT words FROM messages WHERE position = 1")) != [(2,)]:
                    await anyio.sleep(0.001)
            await run_sql(database_url, "UPDATE messages SET state = 'interrupted' WHERE position = 1")
            sealed.set()
        await no_open_reply(app)
        words = 2 if how == "interrupted" else 3
        from_memory = await _told(client, reply_id, how, words)
    async with service(database_url, retention_seconds=0) as (client, _):
        assert await _told(client, reply_id, how, words) == from_memory
    if how not in {"abandoned", "interrupted"}:
        assert (end["words"], end["usage"]) == (words, _USAGE)


async def _told(client: Client, reply_id: str, how: How, words: int) -> list[dict[str, Any]]:
    """Everything reported about a reply that has ended."""
    reply = await got(client, reply_at(reply_id))
    _, stored = await messages(client, reply["conversation_id"])
    again = (await client.request("GET", events_of(reply_id))).transcript().end.model_dump()
    for told in (reply, stored, again):
        assert (told["words"], told["usage"]) == (words, _USAGE)
    assert reply["state"] == stored["state"] == _STATES.get(how, how)
    assert reply["text"] == stored["text"] == "".join(["one ", "two ", "three "][:words])
    reason = {"completed": "length", "cancelled": "cancelled", "abandoned": "abandoned"}.get(how)
    assert reply.get("finish_reason") == stored.get("finish_reason") == again.get("finish_reason") == reason
    if reason is None:
        assert reply["problem"] == again
        code = {"failed": "bot-failed", "stopped": "draining", "interrupted": "reply-interrupted"}[how]
        assert again["type"] == f"urn:problem:{code}"
    else:
        assert reply == again
        assert "problem" not in reply
    return [reply, stored, again]


@pytest.mark.parametrize("path", [CHAT, WHOLE])
async def test_a_reply_that_fails_before_its_first_word_has_cost_something_too(path: str, database_url: str) -> None:
    """The problem says so, and so do the reply and the message; a refused request has cost nothing."""
    async with service(database_url, ScriptedBot(_fails_at_once)) as (client, _):
        failed = await ask(client, "hello", path=path)
        assert problem(failed) == (502, "bot-failed")
        reply = await got(client, reply_at(failed.headers["reply-id"]))
        _, stored = await messages(client, failed.headers["conversation-id"])
        usage = {"prompt_tokens": 7, "completion_tokens": 0}
        for told in (failed.json(), reply, reply["problem"], stored):
            assert (told["words"], told["usage"]) == (0, usage)
        assert (reply["state"], reply["text"]) == ("failed", "")
        refused = await ask(client, "", path=path)
        assert not {"words", "usage"} & refused.json().keys()


async def test_a_reply_without_usage_has_none(database_url: str) -> None:
    """Absent, not null; the words are reported."""
    async with service(database_url) as (client, _):
        transcript = (await streamed(client, "/simulate fail_after=1\none two")).transcript()
        assert transcript.problem.words == 1
        assert "usage" not in transcript.problem.model_dump()
        reply = await ask(client, "one two")
        assert reply.json()["words"] == 2
        assert "usage" not in reply.json()
