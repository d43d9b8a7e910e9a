"""The law of cancelling: cancelReply stops a reply at once, and the text so far is kept."""

import asyncio
from time import monotonic

from chat_verify.exchange import cancelled as cancel_request
from chat_verify.exchange import chat, events, shown
from chat_verify.findings import Broken, Unseen
from chat_verify.streams import Reading, hear, reading
from chat_verify.visit import Visit

_TIMES = 2
_SOON_SECONDS = 4.0
"""The time limit for a cancelled reply to end: far longer than necessary, far shorter than the whole reply."""
_MOMENT_SECONDS, _MOMENT_WORDS = 1.0, 30
"""How much more a reply may send if it ends by itself while the request is in flight."""
_CONTRACT = "cancelReply stops generating at once; readers of the reply get done with finish_reason: cancelled"


async def cancel(visit: Visit) -> None:
    """Request a long reply, and cancel it after a few words."""
    random = visit.random()
    for _ in range(_TIMES):
        message = "Count from one to three hundred, in words, one number after the other, and leave none out."
        if visit.simulates:
            message = "/simulate pace_ms=40\n" + "on and " * 400
        request = chat(message)
        async with reading(visit.target, request, "a message gets a reply") as reply:
            await reply.on(random.choice((1, 2, 5)))
            heard = reply.heard
            if heard.ended():
                raise Unseen(f"the bot is too fast to be cancelled: {len(heard.words())} words arrived at once")
            stop = cancel_request(heard.reply_id)
            await visit.target.get(stop, 204, "a running reply can be cancelled")
            await _stops(reply, f"{shown(request)[:100]}, then {shown(stop)}")
        await visit.target.get(stop, 204, "a reply that has ended stays as it is: the request can be repeated")
        await _stays(visit, reply)
        visit.finding.tried += 1


async def _stops(reply: Reading, asked: str) -> None:
    """Check that it ends in a time in which an uncancelled reply would have gone on for many words."""
    heard, words, stopped_at = reply.heard, len(reply.heard.words()), monotonic()
    try:
        async with asyncio.timeout(_SOON_SECONDS):
            await reply.to_the_end()
    except TimeoutError:
        more = len(heard.words()) - words
        came = f"204, but {_SOON_SECONDS:g} s later the reply still went on: {more} more words"
        raise Broken(asked, came, _CONTRACT) from None
    told = heard.transcript()
    if told.failed or told.end["finish_reason"] == "cancelled":
        return
    seconds, more = monotonic() - stopped_at, len(heard.words()) - words
    if seconds > _MOMENT_SECONDS or more > _MOMENT_WORDS:
        came = (
            f"204, but the reply went on for {seconds:.1f} s and {more} words, to its end: {told.end['finish_reason']}"
        )
        raise Broken(asked, came, _CONTRACT)
    raise Unseen("the reply ended by itself just as it was cancelled")


async def _stays(visit: Visit, reply: Reading) -> None:
    """Check that it is the same when read again."""
    heard = reply.heard
    told = heard.transcript()
    if told.failed:
        raise Unseen(f"the reply failed while it was being cancelled: {told.end['detail']}")
    request = events(heard.reply_id)
    again = (await hear(visit.target, request, "what was said is kept")).transcript().end
    if any(again.get(name) != told.end[name] for name in ("text", "finish_reason")):
        came = f"{dict(again)!r:.300}, where its reader had {dict(told.end)!r:.300}"
        raise Broken(shown(request), came, "a cancelled reply stays as it is")
