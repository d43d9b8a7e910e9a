"""The laws of time: words arrive as they are generated, and a silent stream is kept alive.

Proxies in front of the service break these if they buffer or compress a response, or drop comments.
"""

import asyncio

import httpx

from chat_verify.exchange import Request, chat, get, shown
from chat_verify.findings import Broken, Unseen
from chat_verify.streams import LONG_SECONDS, ON_THE_WAY, Heard, hear, read_out, reading, stopped_after
from chat_verify.target import OWNER
from chat_verify.visit import Visit

_PACE_SECONDS = 0.12
_PACED_WORDS = 8
_AT_ONCE = 0.4
"""A reply was buffered if its words arrived in less than this share of the time that the bot took to send them."""
_APART_SECONDS = 0.04
_LOOK_SECONDS = 0.5
_AS_A_BROWSER = "gzip, deflate, br"


async def streaming(visit: Visit) -> None:
    """Check that words arrive over time and, if it is known when they are generated, that they arrive then."""
    if visit.simulates:
        await _paced(visit)
    else:
        await _spoken(visit)


async def _paced(visit: Visit) -> None:
    words = " ".join(f"word{n}" for n in range(_PACED_WORDS))
    request = chat(f"/simulate pace_ms={_PACE_SECONDS * 1000:.0f}\n{words}", accept_encoding=_AS_A_BROWSER)
    due = _PACE_SECONDS * (_PACED_WORDS - 2)  # the last two may arrive together: a word ends when the next one begins
    for is_last in (False, True):  # a first failure may be this machine's fault
        heard = await hear(visit.target, request)
        visit.finding.tried += 1
        moments = heard.moments()
        spread = moments[-1] - moments[0]
        if spread >= due * _AT_ONCE:
            return
        if is_last:
            came = (
                f"all {len(moments)} words arrived within {spread:.2f} s, {moments[0]:.1f} s after the request, "
                f"although the bot took {due:.1f} s for them: something buffers the stream"
            )
            raise Broken(shown(request), came, ON_THE_WAY)


async def _spoken(visit: Visit) -> None:
    mark = visit.token()
    request = chat(f"{mark} Tell me in about two hundred words what you are.", accept_encoding=_AS_A_BROWSER)
    begun: list[Heard] = []
    speaking = asyncio.create_task(_speak(visit, request, begun))
    try:
        await asyncio.wait([speaking], timeout=LONG_SECONDS)
        while not speaking.done() and not any(heard.words() for heard in begun):
            await _look_for_words(visit, request, mark, begun)
            await asyncio.wait([speaking], timeout=_LOOK_SECONDS)
        await speaking
    finally:
        speaking.cancel()
        await asyncio.gather(speaking, return_exceptions=True)
    visit.finding.tried += 1
    moments = begun[0].moments()
    if not moments:
        raise Unseen("the reply had no words")
    if moments[-1] - moments[0] < _APART_SECONDS:
        raise Unseen(
            f"all {len(moments)} words arrived at once, {moments[0]:.1f} s after the request: the bot is that fast, "
            "or something buffers the stream. Next: compare with curl -N, directly and through the proxy"
        )


async def _speak(visit: Visit, request: Request, begun: list[Heard]) -> None:
    async with reading(visit.target, request, "a message gets a reply") as reply:
        begun.append(reply.heard)
        await read_out(visit.target, reply)


async def _look_for_words(visit: Visit, request: Request, mark: str, begun: list[Heard]) -> None:
    """No word has arrived yet. If some are stored, the bot has generated them, and something buffers the stream."""
    page = await visit.target.get(get("/api/conversations?limit=5"), 200, "conversations are listed")
    for found in page.json()["conversations"]:
        if found["title"].startswith(mark):
            visit.target.made[found["conversation_id"]] = OWNER
            conversation = get(f"/api/conversations/{found['conversation_id']}")
            answer = await visit.target.get(conversation, 200, "an acknowledged message is stored")
            said = [message["text"] for message in answer.json()["messages"] if message["role"] == "assistant"]
            await asyncio.sleep(_LOOK_SECONDS)  # the words may be in flight
            if any(said) and not any(heard.words() for heard in begun):
                characters = sum(map(len, said))
                came = (
                    f"no word, although {characters} characters of the reply were stored: something buffers the stream"
                )
                raise Broken(shown(request), came, ON_THE_WAY)


def silence_seconds(visit: Visit) -> float:
    """Longer than the heartbeat."""
    return visit.heartbeat_seconds * 1.1 + 1


def begin_silence(visit: Visit) -> None:
    """Let the bot send a word and then stay silent, while the other laws are tried."""
    visit.silence = asyncio.create_task(_listen(visit))


async def _listen(visit: Visit) -> Heard:
    request = chat("/simulate stall_after=2\none two three")
    async with (
        reading(visit.target, request, "a message gets a reply") as reply,
        stopped_after(visit.target, reply, silence_seconds(visit)),
    ):
        await reply.to_the_end(or_a_ping=True)
    return reply.heard


async def keep_alive(visit: Visit) -> None:
    """Check that there was a ping during the silence."""
    if visit.silence is None:
        raise Unseen("it requires a bot that can be told to be silent (that obeys /simulate), and enough --seconds")
    try:
        heard = await asyncio.shield(visit.silence)
    except httpx.TransportError as error:
        came = f"the silent stream was cut off: {error}"
        raise Broken("a message to a silent bot", came, "a silent stream is kept alive by comments") from error
    visit.finding.tried += 1
    if not heard.pinged:
        came = f"no `: ping` in {silence_seconds(visit):.1f} s of silence"
        contract = (
            f"a comment after {visit.heartbeat_seconds:g} s of silence (CHAT_HEARTBEAT_SECONDS). Next: if the setting "
            "is larger, give it with --heartbeat; otherwise something in front of the service drops comments"
        )
        raise Broken(shown(heard.request), came, contract)
