"""The law of resuming: cut a stream anywhere and go on in any way; all that was read is what an uncut reader reads."""

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
    """Read one that has ended from behind each of its words; then cut others as they come, at random bytes."""
    await _from_each_word(visit)
    random = visit.random()
    for text in [*visit.messages(_REPLIES - 1), "hello"]:
        if visit.simulates:
            text = f"/simulate pace_ms=5\n{text}"  # noqa: PLW2901 - so that something is left to be cut off
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
    """A reply, and what a client has of it whose connection is cut again and again."""

    def __init__(self, visit: Visit, first: Request) -> None:
        self.first = first
        self._visit = visit
        self._words: list[str] = []
        self._reply_id = ""

    def next(self, way: Way) -> Request:
        """How to go on."""
        cursor = f"{self._reply_id}:{len(self._words)}"
        match way:
            case "get":
                return events(self._reply_id, last_event_id=cursor)
            case "query":  # the header counts if both are there; with it, the stream is known to be a rest
                both = events(self._reply_id, last_event_id=cursor)
                return Request(both.method, f"{both.path}?lastEventId={cursor.replace(':', '%3A')}", both.headers)
            case "post":
                return self.first.plus(last_event_id=cursor)
            case "key":
                self._words.clear()
                return self.first

    async def read(self, request: Request, room: int | None) -> None:
        """Read so many bytes at most. A word that does not follow is reported at once."""
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
        """With what a reader gets who was never cut off."""
        request = events(self._reply_id)
        whole = await hear(self._visit.target, request, "a reply can be read again")
        if whole.words() != self._words:
            came = f"after {how}: {self._words}; uncut: {whole.words()}"
            raise Broken(shown(self.first), came[:600], GOING_ON)


async def _from_each_word(visit: Visit) -> None:
    """A reply of several words, if there was one, from behind every word of it (or of twelve, if it is long)."""
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
