"""A run of AG-UI that is cut off goes on after exactly what its client has."""

import itertools
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.chat.model import Conversation, Finish
from app.main import create_app
from tests.support.agui import AG_UI, agui_asked, check_run, checked, rejoined_at, rest_of, users
from tests.support.asgi import Client
from tests.support.bots import ScriptedBot
from tests.support.databases import fresh_database_url
from tests.support.settings import Settings
from tests.support.stream import Event, Parser
from tests.support.talk import problem, service
from tests.support.texts import foul_texts, normalised
from tests.support.valkey import sharing


@dataclass(slots=True)
class _Service:
    """One instance, or two that share what they know."""

    clients: list[Client]
    bot: ScriptedBot
    threads: "itertools.count[int]" = field(default_factory=itertools.count)


@pytest.fixture(scope="module", params=[60, 0, None], ids=["from memory", "from the store", "at two instances"])
async def resumable(request: pytest.FixtureRequest) -> AsyncGenerator[_Service, None]:
    """One service for all examples; where the rest of a reply comes from, once it has ended."""

    async def silent(_: Conversation) -> AsyncGenerator[str | Finish, None]:
        yield ""

    bot = ScriptedBot(silent)
    own: dict[str, object] = {"resume_window_seconds": 3600}
    if request.param is None:
        own |= {"save_every_seconds": 0.05, "database_url": fresh_database_url("postgresql")} | sharing()
    else:
        own |= {"retention_seconds": request.param}
    known = Settings.model_validate(own)
    async with AsyncExitStack() as stack:
        instances = [create_app(known, bot) for _ in range(2 if request.param is None else 1)]
        yield _Service([await stack.enter_async_context(Client(app)) for app in instances], bot)


@settings(settings.get_profile("laws"))
@given(st.lists(foul_texts, max_size=4), st.lists(st.tuples(st.integers(0, 1500), st.booleans()), max_size=6))
async def test_a_run_that_is_cut_anywhere_is_whole_when_it_is_resumed(
    resumable: _Service, deltas: list[str], cuts: list[tuple[int, bool]]
) -> None:
    """Each event comes once, whatever the client has received of it; nothing is generated twice.

    It is resumed with the request that started it, or by its id alone.
    """
    asked_for = 0
    pause = 0 if len(resumable.clients) == 1 else 0.005  # so that the other instance reads while it is generated

    async def script(_: Conversation) -> AsyncGenerator[str | Finish, None]:
        nonlocal asked_for
        asked_for += 1
        for delta in deltas:
            yield delta
            await anyio.sleep(pause)

    resumable.bot.script = script
    name = f"of-{next(resumable.threads)}"
    body = agui_asked(users("go"), threadId=f"thread-{name}", runId=f"run {name}")
    events: list[Event] = []
    for number, (cut, by_id) in enumerate([*cuts, (None, False)]):
        client = resumable.clients[number % len(resumable.clients)]
        headers = {"last-event-id": events[-1].last_event_id} if events else {}
        parser = Parser()
        asked = ("GET", rejoined_at(body["runId"]), None) if by_id and number else ("POST", AG_UI, body)
        method, path, content = asked
        async with client.open(method, path, json=content, headers=headers) as response:
            assert (await response.head()).status == 200
            left = 2**20 if cut is None else cut
            async for chunk in response.chunks():
                events += parser.feed(chunk[:left])
                left -= len(chunk)
                if left <= 0:
                    break
        if events and events[-1].id is None:
            break
    told = checked(events)
    assert (told.text, told.outcome) == (normalised("".join(deltas)), "success")
    assert asked_for == 1
    assert len(set(told.ids)) == len(told.ids)


async def test_every_event_of_a_whole_run_can_be_resumed_after() -> None:
    """From memory and from the store. A position that no event had continues behind the words that it names."""
    for retention_seconds in (60, 0):
        async with service(fresh_database_url(), retention_seconds=retention_seconds) as (client, _):
            body = agui_asked(users("/simulate pace_ms=1\none two three"))
            whole = check_run((await client.request("POST", AG_UI, json=body)).content)
            lengths = [len((await rest_of(client, body, last_id)).ids) for last_id in whole.ids]
            assert lengths[-1] == 0
            assert lengths == sorted(lengths, reverse=True)
            assert (await rest_of(client, body, f"{whole.reply_id}:1")).text == "two three"
            answer = await client.request(
                "POST", AG_UI, json=body, headers={"last-event-id": f"{whole.reply_id}:1:end"}
            )
            assert check_run(answer.content, "1").text == "two three"


@pytest.mark.parametrize("value", ["start", ":start", "{id}:end", "{id}:start:end", "{id}:01", "{id}:1:", "{id}:1:End"])
async def test_a_position_of_another_form_is_refused(client: Client, value: str) -> None:
    """Before anything starts."""
    headers = {"last-event-id": value.replace("{id}", "a" * 32)}
    answer = await client.request("POST", AG_UI, json=agui_asked(users("hello")), headers=headers)
    assert problem(answer) == (400, "malformed-cursor")
