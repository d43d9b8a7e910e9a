"""Long conversations on the chat page: the end is loaded at once, and earlier messages on demand."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Request, expect

from tests.browser.people import Person, somebody
from tests.support.server import LiveServer

_TALK = """async (turns) => {
    const ask = (body) => fetch("api/replies", {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    let conversation_id;
    for (let n = 1; n <= turns; n += 1) {
        const reply = await (await ask({ user_message: `message ${n}`, conversation_id })).json();
        conversation_id = reply.conversation_id;
    }
    return conversation_id;
}"""
_TURNS = 50


@asynccontextmanager
async def _long_conversation(browser: Browser, server: LiveServer) -> AsyncIterator[tuple[Person, list[str]]]:
    """A user who opens one, and the requests for its messages."""
    async with somebody(browser, server.url) as person:
        conversation_id = await person.page.evaluate(_TALK, _TURNS)
        asked: list[str] = []

        def note(request: Request) -> None:
            if f"api/conversations/{conversation_id}" in request.url:
                asked.append(request.url)

        person.page.on("request", note)
        await person.page.goto(f"{server.url}/#{conversation_id}")
        await expect(person.sayings.last).to_have_text(f"message {_TURNS}")
        yield person, asked


async def test_the_end_of_a_long_conversation_is_one_request(chromium: Browser, server: LiveServer) -> None:
    """Its last messages are in view, in order; earlier ones are not requested."""
    async with _long_conversation(chromium, server) as (person, asked):
        await expect(person.replies.last).to_be_in_viewport()
        assert await person.sayings.all_text_contents() == [f"message {n}" for n in range(_TURNS - 19, _TURNS + 1)]
        assert len(asked) == 1


_SCROLL_AND_DRAW = """(scroller) => {
  scroller.scrollTop = 300;
  return new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
}"""
"""Until it is drawn, the heights of messages that were never in view are estimates."""


async def test_earlier_messages_come_when_somebody_scrolls_up(chromium: Browser, server: LiveServer) -> None:
    """Each once and in order, up to the first; what is in view stays in place, and the conversation can continue."""
    async with _long_conversation(chromium, server) as (person, asked):
        first = person.sayings.filter(has_text=re.compile(f"^message {_TURNS - 19}$"))
        await person.scroller.evaluate(_SCROLL_AND_DRAW)
        place = await first.bounding_box()
        assert place is not None
        await expect(person.sayings.filter(has_text=re.compile(f"^message {_TURNS - 39}$"))).to_be_attached()
        moved = await first.bounding_box()
        assert moved is not None
        assert abs(moved["y"] - place["y"]) <= 1
        await person.sees_it_all()
        assert await person.sayings.all_text_contents() == [f"message {n}" for n in range(1, _TURNS + 1)]
        assert len(asked) == 3
        await person.say("one more")
        await person.hears("one more")
        await expect(person.reply).to_be_in_viewport()
        await expect(person.sayings).to_have_count(_TURNS + 1)


async def test_earlier_messages_can_be_asked_for_with_the_keyboard(chromium: Browser, server: LiveServer) -> None:
    """Also where nothing scrolls by itself; a failed request can be repeated."""
    async with _long_conversation(chromium, server) as (person, _):
        await person.page.context.set_offline(offline=True)
        await person.earlier.focus()
        again = person.page.get_by_role("button", name="Earlier messages could not be loaded. Try again")
        await expect(again).to_be_focused()
        await person.page.context.set_offline(offline=False)
        await person.page.keyboard.press("Enter")
        await expect(person.sayings.filter(has_text=re.compile(f"^message {_TURNS - 39}$"))).to_be_attached()
