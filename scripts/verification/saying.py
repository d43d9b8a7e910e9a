"""The laws of grammar and text: every stream has its shape, and every telling of a reply tells the same."""

from dataclasses import replace

from tests.contract.asking import Request, chat, delete, get
from tests.support.stream import Transcript
from tests.support.texts import normalised

from .findings import Broken, Unseen, contract_says
from .streams import Heard, hear, reading
from .target import shown
from .visit import Visit

_MESSAGES = 12
_RETOLD = 6
_MARK = "one two three, and a mark: "


async def probe(visit: Visit) -> None:
    """Find out whether the bot is one that can be told what to do. Any other need say no more than shows that."""
    request = chat(f"/simulate pace_ms=0\n{_MARK}{visit.token()}")
    async with reading(visit.target, request, "a message gets a reply") as reply:
        await reply.on(words=len(_MARK.split()))
        said = "".join(reply.heard.words())
        visit.simulates = said.startswith(_MARK)
        if not reply.heard.ended():
            await visit.target.ask(delete(f"/api/replies/{reply.heard.reply_id}"))


async def grammar(visit: Visit) -> None:
    """Say something simple, and then whatever is hard to pass on."""
    for number, text in enumerate(["hello", *visit.messages(_MESSAGES)]):
        visit.target.gives_keys = number > 0  # one is said without a key
        heard = await hear(visit.target, chat(text))
        visit.finding.tried += 1
        visit.heard.append(heard)
        said, due = "".join(heard.words()), normalised(text)
        if visit.simulates and said != due:
            contract = f"the simulator echoes the message exactly: {due[:200]!r}"
            raise Broken(shown(heard.request), f"the words give {said[:200]!r}", contract, law="text")
        if visit.seconds_left() < 2 * heard.events[-1][0]:
            return  # so slow a bot has been asked enough


async def text(visit: Visit) -> None:
    """Read what was said as JSON, as a stream once more, and in its conversation."""
    told = [(heard, heard.transcript()) for heard in await heard_before(visit)]
    ended = [(heard, transcript) for heard, transcript in told if not _has_failed(transcript)]
    if not ended:
        raise Unseen("no reply came to a good end")
    for heard, transcript in ended[:1] + ended[1:][-_RETOLD:]:
        for retold in (_as_json, _again, _stored):
            request, found = await retold(visit, heard)
            if found != transcript.text:
                came = f"{found[:200]!r}, where the words gave {transcript.text[:200]!r}"
                raise Broken(f"{shown(heard.request)}, then {shown(request)}", came, "words, JSON and store are equal")
        visit.finding.tried += 1


async def heard_before(visit: Visit) -> list[Heard]:
    """Replies that have ended; one of several words is among them, if the bot has any to say."""
    if not any(len(heard.words()) > 1 for heard in visit.heard):
        visit.heard.append(await hear(visit.target, chat("one two three four")))
    return visit.heard


def _has_failed(transcript: Transcript) -> bool:
    return not hasattr(transcript.end, "finish_reason")


async def _as_json(visit: Visit, heard: Heard) -> tuple[Request, str]:
    request = get(f"/api/replies/{heard.reply_id}", accept="application/json")
    answer = await visit.target.get(request, 200, "a reply is served for as long as its conversation is stored")
    with contract_says(shown(request), "with Accept: application/json it is the finished Reply", law="document"):
        return request, str(answer.json()["text"])


async def _again(visit: Visit, heard: Heard) -> tuple[Request, str]:
    request = get(f"/api/replies/{heard.reply_id}")
    again = await hear(visit.target, request, "a reply is served with the same words under the same ids")
    if again.words() != heard.words():
        contract = "the same words under the same ids"
        raise Broken(shown(request), f"{again.words()[:20]}, before {heard.words()[:20]}", contract)
    return request, again.transcript().reply.text


async def _stored(visit: Visit, heard: Heard) -> tuple[Request, str]:
    request = get(f"/api/conversations/{heard.conversation_id}?limit=100")
    answer = await visit.target.get(request, 200, "an acknowledged reply is stored")
    stored = [message for message in answer.json()["messages"] if message.get("reply_id") == heard.reply_id]
    if not stored:
        raise Broken(shown(request), f"no message of reply {heard.reply_id}", "an acknowledged reply is stored")
    return request, str(stored[0]["text"])


def with_headers(request: Request, **headers: str) -> Request:
    """The request, with more headers, under the names that they have in `get` and `chat`."""
    return replace(request, headers={**request.headers, **get("/", **headers).headers})
