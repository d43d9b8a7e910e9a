"""The law of cancelling: DELETE stops a reply at once, and what was said so far is kept."""

import asyncio
from time import monotonic

from generated.models import Problem, Reply
from tests.contract.asking import chat, delete, get

from .findings import Broken, Unseen
from .streams import Reading, hear, reading
from .target import shown
from .visit import Visit

_TIMES = 2
_SOON_SECONDS = 4.0
"""So long a stopped reply may take to say so: far longer than it does, far shorter than the replies are."""
_MOMENT_SECONDS, _MOMENT_WORDS = 1.0, 30
"""What a reply may still say that ends by itself while the DELETE is on its way."""
_CONTRACT = "DELETE stops generating at once; whoever reads the reply gets done with finish_reason: cancelled"


async def cancel(visit: Visit) -> None:
    """Ask for much, and stop it after a word or some more."""
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
                raise Unseen(f"the bot is done too soon to be stopped: {len(heard.words())} words came at once")
            stop = delete(f"/api/replies/{heard.reply_id}")
            await visit.target.get(stop, 204, "a running reply can be stopped")
            await _stops(reply, f"{shown(request)[:100]}, then {shown(stop)}")
        await visit.target.get(stop, 204, "a reply that has ended stays as it is: DELETE can be repeated")
        await _stays(visit, reply)
        visit.finding.tried += 1


async def _stops(reply: Reading, asked: str) -> None:
    """Within a time in which a reply that was not stopped would have said a lot."""
    heard, words, stopped_at = reply.heard, len(reply.heard.words()), monotonic()
    try:
        async with asyncio.timeout(_SOON_SECONDS):
            await reply.to_the_end()
    except TimeoutError:
        more = len(heard.words()) - words
        came = f"204, and {_SOON_SECONDS:g} s later the reply still went on: {more} more words"
        raise Broken(asked, came, _CONTRACT) from None
    end = heard.transcript().end
    if isinstance(end, Problem) or end.finish_reason == "cancelled":
        return
    seconds, more = monotonic() - stopped_at, len(heard.words()) - words
    if seconds > _MOMENT_SECONDS or more > _MOMENT_WORDS:
        came = f"204, and the reply went on for {seconds:.1f} s and {more} words, to its end: {end.finish_reason}"
        raise Broken(asked, came, _CONTRACT)
    raise Unseen("the reply came to its end by itself in the moment in which it was stopped")


async def _stays(visit: Visit, reply: Reading) -> None:
    """As it was then: to who reads it again, and in its conversation."""
    heard = reply.heard
    end = heard.transcript().end
    if isinstance(end, Problem):
        raise Unseen(f"the reply failed as it was stopped: {end.detail}")
    again = (await hear(visit.target, get(f"/api/replies/{heard.reply_id}"), "what was said is kept")).transcript().end
    if not isinstance(again, Reply) or (again.text, again.finish_reason) != (end.text, end.finish_reason):
        came = f"{again!r:.300}, where its reader had {end!r:.300}"
        raise Broken(f"GET /api/replies/{heard.reply_id}", came, "a stopped reply stays as it is")
