"""Law 3: cut a stream after any byte, any number of times, and resume: nothing is lost, repeated or out of order."""

import itertools
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.chat.errors import BotFailed
from app.chat.model import Conversation, Finish
from app.chat.words import WordSplitter
from app.main import create_app
from generated.models import Problem, Reply
from tests.support.addresses import events_of
from tests.support.asgi import Client
from tests.support.bots import ScriptedBot
from tests.support.databases import fresh_database_url
from tests.support.resuming import WAYS, Resumer, Way
from tests.support.settings import Settings
from tests.support.texts import foul_texts, normalised
from tests.support.valkey import sharing

_ASK = {"user_message": "go on"}
_BOUND = 200


@dataclass(frozen=True, slots=True)
class _Cut:
    """After how many bytes of a response's body, or before its head, and how to resume."""

    after: int | None
    way: Way
    instance: int
    """Where to resume."""


@dataclass(slots=True)
class _Service:
    clients: list[Client]
    """One for each instance."""
    bot: ScriptedBot
    asked: int = 0
    keys: "itertools.count[int]" = field(default_factory=itertools.count)

    def say(self, deltas: list[str], ending: str) -> Resumer:
        """Set the bot's next reply."""
        pause = 0 if len(self.clients) == 1 else 0.005  # so that the other instance reads while it is generated

        async def script(_: Conversation) -> AsyncGenerator[str | Finish, None]:
            self.asked += 1
            for delta in deltas:
                yield delta
                await anyio.sleep(pause)
            if ending == "failed":
                raise BotFailed

        self.bot.script = script
        self.asked = 0
        return Resumer(f"key-{next(self.keys)}", fails=ending == "failed")

    async def read(self, resumer: Resumer, cuts: list[_Cut], way: Way = "key") -> None:
        """Read a reply to its end, with these cuts."""
        client = self.clients[0]
        for cut in cuts:
            await self._connect(client, resumer, way, cut)
            if resumer.end is not None:
                return
            way = cut.way
            client = self.clients[cut.instance % len(self.clients)]
        await self._connect(client, resumer, way, None)
        assert resumer.end is not None

    async def _connect(self, client: Client, resumer: Resumer, way: Way, cut: _Cut | None) -> None:
        request = resumer.request(way)
        json = _ASK if request.method == "POST" else None
        async with client.open(request.method, request.path, json=json, headers=request.headers) as response:
            if cut is not None and cut.after is None:
                await anyio.lowlevel.checkpoint()
                return
            await response.head()
            resumer.head(response.status, response.headers)
            room = cut.after if cut is not None else None
            if room == 0:
                return
            async for chunk in response.chunks():
                resumer.body(chunk[:room])
                if room is not None:
                    room -= len(chunk)
                    if room <= 0:
                        return


@asynccontextmanager
async def _service(**bounds: float) -> AsyncIterator[_Service]:
    bot = ScriptedBot(_silent)
    settings = Settings.model_validate({"resume_window_seconds": 3600, "max_reply_characters": _BOUND} | bounds)
    async with Client(create_app(settings, bot)) as client:
        yield _Service([client], bot)


@asynccontextmanager
async def _two() -> AsyncIterator[_Service]:
    """Two instances that share a database and a Valkey server."""
    bot = ScriptedBot(_silent)
    known = {"resume_window_seconds": 3600, "max_reply_characters": _BOUND, "save_every_seconds": 0.05}
    known |= {"database_url": fresh_database_url("postgresql")} | sharing()
    settings = Settings.model_validate(known)
    async with Client(create_app(settings, bot)) as first, Client(create_app(settings, bot)) as second:
        yield _Service([first, second], bot)


async def _silent(_: Conversation) -> AsyncGenerator[str | Finish, None]:
    yield ""


@pytest.fixture(scope="module", params=[60, 0, None], ids=["from memory", "from the store", "at two instances"])
async def service(request: pytest.FixtureRequest) -> AsyncGenerator[_Service, None]:
    """One application for all examples; ended replies are read again from memory, or directly from the store.

    Or two, where each connection is made to either.
    """
    async with _two() if request.param is None else _service(retention_seconds=request.param) as service:
        yield service


_SOME_DELTAS = st.lists(foul_texts, min_size=1, max_size=6).filter(lambda deltas: bool(normalised("".join(deltas))))
_CUTS = st.lists(
    st.builds(_Cut, st.none() | st.integers(0, 60) | st.integers(0, 1500), st.sampled_from(WAYS), st.integers(0, 1)),
    min_size=1,
    max_size=6,
)


@settings(settings.get_profile("laws"))
@given(_SOME_DELTAS, _CUTS, st.sampled_from(["done", "failed"]))
async def test_a_stream_that_is_cut_anywhere_is_whole_when_it_is_resumed(
    service: _Service, deltas: list[str], cuts: list[_Cut], ending: str
) -> None:
    """Whatever the text and the end. The reply is generated once; later readers get the same words with the same ids.

    Only a reply that failed before the client knew its id is generated again.
    """
    resumer = service.say(deltas, ending)
    await service.read(resumer, cuts)
    text = normalised("".join(deltas))
    assert service.asked == 1 or ending == "failed"
    assert "".join(resumer.words) == text or len(text) > _BOUND
    if not isinstance(resumer.end, Reply):
        assert ending == "failed"
        return
    assert resumer.end.text == "".join(resumer.words)
    for client in service.clients:
        again = await client.request("GET", events_of(resumer.end.reply_id))
        assert again.transcript().words == tuple(resumer.words)
        assert again.transcript().end == resumer.end


@settings(settings.get_profile("laws"))
@given(_SOME_DELTAS, st.lists(_CUTS, min_size=2, max_size=4))
async def test_several_readers_are_cut_and_resume_each_for_itself(
    service: _Service, deltas: list[str], cuts: list[list[_Cut]]
) -> None:
    """Concurrently, each with its own cursor."""
    key = service.say(deltas, "done").key
    resumers = [Resumer(key) for _ in cuts]
    async with anyio.create_task_group() as group:
        for resumer, own_cuts in zip(resumers, cuts, strict=True):
            group.start_soon(service.read, resumer, own_cuts)
    assert service.asked == 1
    assert len({tuple(resumer.words) for resumer in resumers}) == 1
    assert len({resumer.end.model_dump_json() for resumer in resumers if resumer.end}) == 1


@settings(settings.get_profile("laws"))
@given(foul_texts, st.data())
def test_what_was_saved_of_a_reply_has_the_words_that_the_reply_had(text: str, data: st.DataObject) -> None:
    """A prefix of whole words, split again, gives the same words; so ids mean the same after a crash."""
    splitter = WordSplitter()
    words = splitter.feed(normalised(text)) + splitter.flush()
    saved = words[: data.draw(st.integers(0, len(words)))]
    splitter = WordSplitter()
    assert splitter.feed("".join(saved)) + splitter.flush() == saved


def test_the_resumer_is_strict() -> None:
    """A test of the tests' own support: it would notice a word that is lost, repeated, or from another reply."""
    reply_id, other = "a" * 32, "b" * 32
    headers = {"reply-id": reply_id, "content-location": f"replies/{reply_id}/events"}
    for bad in (f"id: {reply_id}:2", f"id: {other}:1", "id: 1"):
        resumer = Resumer("key")
        resumer.head(200, headers)
        with pytest.raises(AssertionError):
            resumer.body(f"data: x\n{bad}\n\n".encode())
    resumer = Resumer("key")
    resumer.head(200, headers)
    resumer.body(f"data: x\nid: {reply_id}:1\n\n".encode())
    with pytest.raises(AssertionError):
        resumer.body(f"data: x\nid: {reply_id}:1\n\n".encode())
    assert not isinstance(resumer.end, Problem)
