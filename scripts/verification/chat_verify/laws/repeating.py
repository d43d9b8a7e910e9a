"""The law of idempotency: the same key and message get the same reply, and no second one is generated."""

import asyncio

from chat_verify.exchange import Request, chat, get, shown, whole_reply
from chat_verify.findings import Broken
from chat_verify.streams import Heard, hear_well
from chat_verify.target import refused
from chat_verify.visit import Visit

_CONTRACT = "a repeated request with the same key and message gets the same reply, and no second one is generated"


async def idempotency(visit: Visit) -> None:
    """Repeat a request after its end, as JSON, and with another message; and send two concurrently."""
    (text,) = visit.messages(1)
    key = visit.token()
    request = chat(text, idempotency_key=key)
    first = await hear_well(visit.target, request)
    visit.finding.tried += 1
    _same(request, first, await hear_well(visit.target, request, _CONTRACT))
    visit.finding.tried += 1
    await _as_json(visit, whole_reply(text, idempotency_key=key), first)
    await _with_another_message(visit, chat(f"{text}?", idempotency_key=key))
    both = chat("hello", idempotency_key=visit.token())
    async with asyncio.TaskGroup() as group:
        twins = [group.create_task(hear_well(visit.target, both, _CONTRACT)) for _ in range(2)]
    _same(both, *(twin.result() for twin in twins))
    visit.finding.tried += 2
    await stored_once(visit, first)


async def stored_once(visit: Visit, heard: Heard) -> None:
    """Raises `Broken` unless the conversation has one message and its reply."""
    request = get(f"/api/conversations/{heard.conversation_id}")
    answer = await visit.target.get(request, 200, "an acknowledged reply is stored")
    messages = answer.json()["messages"]
    roles = [message["role"] for message in messages]
    if roles != ["user", "assistant"]:
        came = f"messages of {roles}"
        raise Broken(shown(request), came, "a message that is sent again is stored once, with one reply")
    if messages[1].get("reply_id") != heard.reply_id:
        came = f"reply {messages[1].get('reply_id')}, where the client read {heard.reply_id}"
        raise Broken(shown(request), came, "the stored reply is the one that was returned")


def _same(request: Request, one: Heard, other: Heard) -> None:
    if (one.reply_id, one.words()) != (other.reply_id, other.words()):
        came = f"replies {one.reply_id} ({''.join(one.words())[:80]!r}) and {other.reply_id} "
        raise Broken(f"{shown(request)}, twice", f"{came}({''.join(other.words())[:80]!r})", _CONTRACT)


async def _as_json(visit: Visit, request: Request, first: Heard) -> None:
    answer = await visit.target.get(request, 200, _CONTRACT)
    visit.finding.tried += 1
    reply = answer.json()
    if (reply["reply_id"], reply["text"]) != (first.reply_id, "".join(first.words())):
        raise Broken(f"{shown(first.request)}, then {shown(request)}", f"{reply!r:.300}", _CONTRACT)


async def _with_another_message(visit: Visit, request: Request) -> None:
    answer = await visit.target.ask(request)
    visit.finding.tried += 1
    expected = "urn:problem:idempotency-key-reused"
    if answer.status != 409 or answer.json()["type"] != expected:  # noqa: PLR2004 - a status is best known by its number
        raise refused(request, answer, f"the same Idempotency-Key with another message is refused: 409 {expected}")
