"""The law of resuming: a reader that is cut off anywhere and resumes in any way gets the same as an uncut reader."""

from typing import Literal

from chat_verify.exchange import Request, chat, events, shown
from chat_verify.findings import Broken, Unseen
from chat_verify.laws.saying import heard_before
from chat_verify.streams import GOING_ON, Heard, hear, reading
from chat_verify.visit import Visit

Way = Literal["get", "query", "post", "key"]
_WAYS: tuple[Way, ...] = ("get", "query", "post", "key")
_REPLIES = 4
_CUTS = 3


async def resume(visit: Visit) -> None:
    """Resume an ended reply after each of its words; then cut running ones at random bytes."""
    await _from_each_word(visit)
    random = visit.random()
    for text in [*visit.messages(_REPLIES - 1), "hello"]:
        if visit.simulates:
            text = f"/simulate pace_ms=5\n{text}"  # noqa: PLW2901 - so that there is something left to cut off
        cut = _Cut(visit, chat(text, idempotency_key=visit.token()))
        request, way = cut.first, ""
        for _ in range(_CUTS):
            await cut.read(request, room=random.randrange(400))
            way = random.choice(_WAYS)
            request = cut.next(way)
        await cut.read(request, room=None)
        await cut.compare(f"{_CUTS} cuts, at last resumed by {way}")
        visit.finding.tried += 1


class _Cut:
    """A reply, and what a client with repeated disconnects has received of it."""

    def __init__(self, visit: Visit, first: Request) -> None:
        self.first = first
        self._visit = visit
        self._words: list[str] = []
        self._reply_id = ""

    def next(self, way: Way) -> Request:
        """The request that resumes in this way."""
        cursor = f"{self._reply_id}:{len(self._words)}"
        match way:
            case "get":
                return events(self._reply_id, last_event_id=cursor)
            case "query":  # with both, the header wins, and marks the stream as a rest for `transcript`
                both = events(self._reply_id, last_event_id=cursor)
                return Request(both.method, f"{both.path}?lastEventId={cursor.replace(':', '%3A')}", both.headers)
            case "post":
                return self.first.plus(last_event_id=cursor)
            case "key":
                self._words.clear()
                return self.first

    async def read(self, request: Request, room: int | None) -> None:
        """Read up to `room` bytes. A word that does not follow raises `Broken` at once."""
        contract = "a reply can be resumed"
        if room is None:
            heard = await hear(self._visit.target, request, contract)
        else:
            async with reading(self._visit.target, request, contract) as reply:
                await reply.on(10**9, room)
            heard = reply.heard
        self._follow(request, heard)

    def _follow(self, request: Request, heard: Heard) -> None:
        if self._reply_id not in {"", heard.reply_id}:
            came = f"reply {heard.reply_id}, after words of reply {self._reply_id}"
            raise Broken(shown(request), came, "a repeated request gets the same reply, and no second one is generated")
        self._reply_id = heard.reply_id
        for event in (event for _, event in heard.events if event.name == "message"):
            due = f"{self._reply_id}:{len(self._words) + 1}"
            if event.id != due:
                came = f"id {event.id} with {event.data!r} after {len(self._words)} words, where {due} is next"
                raise Broken(shown(request), came, GOING_ON)
            self._words.append(event.data)

    async def compare(self, how: str) -> None:
        """Compare with the words of a reader that was never cut off."""
        request = events(self._reply_id)
        whole = await hear(self._visit.target, request, "a reply can be read again")
        if whole.words() != self._words:
            came = f"after {how}: {self._words}; uncut: {whole.words()}"
            raise Broken(shown(self.first), came[:600], GOING_ON)


async def _from_each_word(visit: Visit) -> None:
    """Resume a reply of several words after each of them (after twelve, if it is long)."""
    several = [heard for heard in await heard_before(visit) if len(heard.words()) > 1]
    if not several:
        raise Unseen("no reply had more than one word")
    heard: Heard = min(several, key=lambda heard: abs(len(heard.words()) - 8))
    words = heard.words()
    for n in range(0, len(words) + 1, 1 + len(words) // 12):
        request = events(heard.reply_id, last_event_id=f"{heard.reply_id}:{n}")
        rest = await hear(visit.target, request, "a reply can be resumed")
        if rest.words() != words[n:]:
            raise Broken(shown(request), f"{rest.words()[:20]}, where {words[n : n + 20]} follow", GOING_ON)
