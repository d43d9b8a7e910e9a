"""The law of repeated requests: with the same key and body one gets the same reply, and none is made twice."""

# ruff: noqa: PLR2004 - a status is best known by its number

import asyncio

from tests.contract.asking import Request, chat, get

from .findings import Broken, contract_says
from .saying import with_headers
from .streams import Heard, hear_well
from .target import refused, shown
from .visit import Visit

_CONTRACT = "a repeated request with the same key and the same body gets the same reply, and no second one is made"


async def idempotency(visit: Visit) -> None:
    """Repeat a request after its end, in the other representation, with another body; and two at the same time."""
    (text,) = visit.messages(1)
    request = chat(text, idempotency_key=visit.token())
    first = await hear_well(visit.target, request)
    visit.finding.tried += 1
    _same(request, first, await hear_well(visit.target, request, _CONTRACT))
    visit.finding.tried += 1
    await _as_json(visit, request, first)
    await _with_another_body(visit, chat(f"{text}?", idempotency_key=request.headers["idempotency-key"]))
    both = chat("hello", idempotency_key=visit.token())
    async with asyncio.TaskGroup() as group:
        twins = [group.create_task(hear_well(visit.target, both, _CONTRACT)) for _ in range(2)]
    _same(both, *(twin.result() for twin in twins))
    visit.finding.tried += 2
    await _stored_once(visit, first)


def _same(request: Request, one: Heard, other: Heard) -> None:
    if (one.reply_id, one.words()) != (other.reply_id, other.words()):
        came = f"replies {one.reply_id} ({''.join(one.words())[:80]!r}) and {other.reply_id} "
        raise Broken(f"{shown(request)}, twice", f"{came}({''.join(other.words())[:80]!r})", _CONTRACT)


async def _as_json(visit: Visit, request: Request, first: Heard) -> None:
    whole = with_headers(request, accept="application/json")
    answer = await visit.target.get(whole, 200, _CONTRACT)
    visit.finding.tried += 1
    with contract_says(shown(whole), "with Accept: application/json it is the finished Reply", law="document"):
        reply = answer.json()
    if (reply["reply_id"], reply["text"]) != (first.reply_id, "".join(first.words())):
        raise Broken(f"{shown(request)}, then {shown(whole)}", f"{reply!r:.300}", _CONTRACT)


async def _with_another_body(visit: Visit, request: Request) -> None:
    contract = "the same Idempotency-Key with another body is refused: 422 idempotency-key-reused"
    answer = await visit.target.ask(request)
    visit.finding.tried += 1
    if answer.status != 422 or answer.json()["type"] != "urn:problem:idempotency-key-reused":
        raise refused(request, answer, contract)


async def _stored_once(visit: Visit, first: Heard) -> None:
    request = get(f"/api/conversations/{first.conversation_id}")
    answer = await visit.target.get(request, 200, "an acknowledged reply is stored")
    roles = [message["role"] for message in answer.json()["messages"]]
    if roles != ["user", "assistant"]:
        raise Broken(shown(request), f"messages of {roles} where one was sent and answered once", _CONTRACT)
