"""The law of retries: a request repeated until it succeeds leaves one message, one conversation and one reply.

A failed reply does not count: the retry generates a new one in its place. Failures are provoked if the bot obeys
`/simulate`; with other bots, only retries of successful replies are tried.
"""

# ruff: noqa: PLR2004 - a status is best known by its number

from chat_verify.exchange import Request, chat, events, get, shown
from chat_verify.findings import Broken, Unseen
from chat_verify.laws.repeating import stored_once
from chat_verify.streams import Heard, hear, hear_well
from chat_verify.target import refused
from chat_verify.visit import Visit

_RETRIES = 3
_ANEW = "a failed reply does not count: the retry generates a new one in its place"
_ONE = "retries with one Idempotency-Key stay in one conversation"
_GOES_ON = "with Last-Event-ID, the repeated request resumes the failed reply"


async def retries(visit: Visit) -> None:
    """Retry replies that failed in the middle or before the first word, with and without the conversation's id."""
    await _of_a_good_reply(visit)
    if not visit.simulates:
        visit.finding.notes.append("failures could not be provoked")
        return
    await _of_one_that_failed(visit)
    await _of_one_that_failed_early(visit)


async def _of_a_good_reply(visit: Visit) -> None:
    (text,) = visit.messages(1)
    key = visit.token()
    first = await hear_well(visit.target, chat(text, idempotency_key=key))
    visit.finding.tried += 1
    retry = chat(text, first.conversation_id, idempotency_key=key)
    contract = "a retry may name the conversation that the first attempt created"
    again = await hear_well(visit.target, retry, contract)
    visit.finding.tried += 1
    if (again.reply_id, again.words()) != (first.reply_id, first.words()):
        came = f"reply {again.reply_id}, where the first attempt got {first.reply_id}"
        raise Broken(shown(retry), came, f"{contract}, and gets the same reply")
    await stored_once(visit, again)


async def _of_one_that_failed(visit: Visit) -> None:
    text = f"/simulate fail_after=3 pace_ms=30\none two three four {visit.token()}"
    key = visit.token()
    request = chat(text, idempotency_key=key)
    heard = await _hear_failure(visit, request)
    await _goes_on(visit, request, heard)
    for n in range(_RETRIES):
        retry = request if n % 2 == 0 else chat(text, heard.conversation_id, idempotency_key=key)
        again = await _hear_failure(visit, retry)
        if again.reply_id == heard.reply_id:
            raise Broken(f"{shown(request)}, repeated", f"the failed reply {heard.reply_id} again", _ANEW)
        _in_one_conversation(request, heard.conversation_id, again.conversation_id)
        await _is_replaced(visit, heard.reply_id)
        heard = again
    await stored_once(visit, heard)


async def _of_one_that_failed_early(visit: Visit) -> None:
    """Before the first word, with an error status: then the headers name the conversation."""
    request = chat(f"/simulate status=503\none two three {visit.token()}", idempotency_key=visit.token())
    conversation_id = ""
    for _ in range(_RETRIES):
        answer = await visit.target.ask(request)
        visit.finding.tried += 1
        if answer.status != 503:
            raise refused(request, answer, "the simulator fails as it is told: 503")
        made = answer.headers.get("conversation-id", "")
        if not made:
            raise Unseen(f"{shown(request)[:100]}: the message was not stored, so its retries cannot be compared")
        _in_one_conversation(request, conversation_id or made, made)
        conversation_id = made
    conversation = get(f"/api/conversations/{conversation_id}")
    stored = await visit.target.get(conversation, 200, "a conversation that is named can be read")
    roles = [message["role"] for message in stored.json()["messages"]]
    if roles.count("user") != 1 or len(roles) > 2:
        raise Broken(shown(conversation), f"messages of {roles}", "a message that is sent again is stored once")


async def _hear_failure(visit: Visit, request: Request) -> Heard:
    heard = await hear(visit.target, request, _ANEW)
    visit.finding.tried += 1
    told = heard.transcript()
    if not told.failed:
        raise Unseen("the bot did not fail as it was told")
    if told.end.get("words", len(told.words)) != len(told.words):
        came = f"words: {told.end['words']}, after {len(told.words)} words"
        raise Broken(shown(request), came, "the problem of a failed reply counts its words")
    return heard


async def _goes_on(visit: Visit, request: Request, first: Heard) -> None:
    cursor = f"{first.reply_id}:1"
    for resumed in (request.plus(last_event_id=cursor), events(first.reply_id, last_event_id=cursor)):
        rest = await hear(visit.target, resumed, _GOES_ON)
        if (rest.reply_id, rest.words()) != (first.reply_id, first.words()[1:]) or not rest.transcript().failed:
            came = f"reply {rest.reply_id} with {rest.words()}, where {first.words()[1:]} follow in {first.reply_id}"
            raise Broken(shown(resumed), came, _GOES_ON)


async def _is_replaced(visit: Visit, reply_id: str) -> None:
    request = get(f"/api/replies/{reply_id}")
    answer = await visit.target.ask(request)
    if answer.status != 404:
        raise refused(request, answer, f"{_ANEW}, so the failed one is no longer found: 404")


def _in_one_conversation(request: Request, one: str, other: str) -> None:
    if one != other:
        raise Broken(f"{shown(request)}, repeated", f"the conversations {one} and {other}", _ONE)
