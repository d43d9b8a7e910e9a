"""The laws of grammar and text: every stream is well-formed, and a reply's text is the same wherever it is read."""

from chat_verify.exchange import Request, chat, events, get, shown, whole_reply
from chat_verify.exchange import cancelled as cancel_request
from chat_verify.findings import Broken, Unseen
from chat_verify.grammar import Transcript
from chat_verify.streams import Heard, hear, reading
from chat_verify.target import refused
from chat_verify.texts import normalised
from chat_verify.visit import Visit

_MESSAGES = 12
_READ_AGAIN = 5
_MARK = "one two three, and a mark: "
_EQUAL = "words, done, JSON and the stored message have the same text"


async def probe(visit: Visit) -> None:
    """Find out whether the bot obeys `/simulate`, reading no more of its reply than necessary."""
    request = chat(f"/simulate pace_ms=0\n{_MARK}{visit.token()}")
    async with reading(visit.target, request, "a message gets a reply") as reply:
        await reply.on(words=len(_MARK.split()))
        said = "".join(reply.heard.words())
        visit.simulates = said.startswith(_MARK)
        if not reply.heard.ended():
            await visit.target.ask(cancel_request(reply.heard.reply_id))


async def grammar(visit: Visit) -> None:
    """Send a simple message, and then difficult ones."""
    for number, text in enumerate(["hello", *visit.messages(_MESSAGES)]):
        visit.target.gives_keys = number > 0  # one message is sent without a key
        heard = await hear(visit.target, chat(text))
        visit.finding.tried += 1
        visit.heard.append(heard)
        said, due = "".join(heard.words()), normalised(text)
        if visit.simulates and said != due:
            contract = f"the simulator echoes the message exactly: {due[:200]!r}"
            raise Broken(shown(heard.request), f"the words add up to {said[:200]!r}", contract, law="text")
        if visit.seconds_left() < 2 * heard.events[-1][0]:
            return  # the bot is too slow for more


async def text(visit: Visit) -> None:
    """Read replies again as JSON, as a stream, and in their conversation; and create one as JSON."""
    told = [(heard, heard.transcript()) for heard in await heard_before(visit)]
    ended = [(heard, transcript) for heard, transcript in told if not transcript.failed]
    if not ended:
        raise Unseen("no reply was completed")
    for heard, transcript in ended[:1] + ended[1:][-_READ_AGAIN:]:
        for read_again in (_as_json, _as_stream, _stored):
            request, found = await read_again(visit, heard)
            _compare(f"{shown(heard.request)}, then {shown(request)}", transcript, found)
        visit.finding.tried += 1
    await _created_as_json(visit)
    visit.finding.tried += 1


async def heard_before(visit: Visit) -> list[Heard]:
    """Replies that have ended, including one of several words if the bot sends that many."""
    if not any(len(heard.words()) > 1 for heard in visit.heard):
        visit.heard.append(await hear(visit.target, chat("one two three four")))
    return visit.heard


def _compare(asked: str, transcript: Transcript, found: str) -> None:
    if found != transcript.text:
        raise Broken(asked, f"{found[:200]!r}, where the words gave {transcript.text[:200]!r}", _EQUAL)


async def _as_json(visit: Visit, heard: Heard) -> tuple[Request, str]:
    request = get(f"/api/replies/{heard.reply_id}")
    answer = await visit.target.get(request, 200, "a reply can be read for as long as its conversation is stored")
    reply, transcript = answer.json(), heard.transcript()
    if reply["words"] != len(transcript.words):
        came = f"words: {reply['words']}, where the stream had {len(transcript.words)}"
        raise Broken(shown(request), came, "words is the number in the id of the last word")
    return request, str(reply["text"])


async def _as_stream(visit: Visit, heard: Heard) -> tuple[Request, str]:
    request = events(heard.reply_id)
    again = await hear(visit.target, request, "a reply is streamed again with the same words under the same ids")
    if again.words() != heard.words():
        contract = "the same words under the same ids"
        raise Broken(shown(request), f"{again.words()[:20]}, before {heard.words()[:20]}", contract)
    return request, again.transcript().text


async def _stored(visit: Visit, heard: Heard) -> tuple[Request, str]:
    request = get(f"/api/conversations/{heard.conversation_id}?limit=100")
    answer = await visit.target.get(request, 200, "an acknowledged reply is stored")
    stored = [message for message in answer.json()["messages"] if message.get("reply_id") == heard.reply_id]
    if not stored:
        raise Broken(shown(request), f"no message of reply {heard.reply_id}", "an acknowledged reply is stored")
    return request, str(stored[0]["text"])


async def _created_as_json(visit: Visit) -> None:
    """Compare a reply from `createReply` with its stream, unless the bot is too slow for it."""
    slowest = max(heard.events[-1][0] for heard in visit.heard)
    if visit.seconds_left() < 2 * slowest:
        visit.finding.notes.append("createReply was not tried: the bot is too slow")
        return
    (message,) = visit.messages(1) if visit.simulates else ("hello",)
    request = whole_reply(message)
    answer = await visit.target.ask(request)
    if answer.status != 200:  # noqa: PLR2004 - a status is best known by its number
        raise refused(request, answer, "createReply returns the finished reply")
    reply = answer.json()
    again = await hear(visit.target, events(reply["reply_id"]), "a reply that was returned as JSON can be streamed")
    _compare(shown(request), again.transcript(), str(reply["text"]))
