"""The chat page when all goes well: what users do with it, and what they see."""

import re

import pytest
from playwright.async_api import Browser, expect

from tests.browser.people import PHONE, Person, somebody
from tests.support.browser import visitor
from tests.support.server import LiveServer
from tests.verify.faults import Fault
from tests.verify.proxy import FaultyProxy


async def test_words_appear_as_they_come(chromium: Browser, server: LiveServer) -> None:
    """The first words are visible before the bot has sent the last one."""
    async with somebody(chromium, server.url) as person:
        await person.say("/simulate stall_after=3\none two three four")
        await person.hears("one two")
        await expect(person.reply).to_have_attribute("aria-busy", "true")
        await expect(person.text).not_to_contain_text("four")
        await expect(person.sayings.last).to_have_text("/simulate stall_after=3\none two three four")
        await person.stop.click()
        await person.hears_the_end()


async def test_a_message_is_answered_and_the_conversation_goes_on(chromium: Browser, server: LiveServer) -> None:
    """With the keyboard alone: Enter sends, Shift+Enter starts a new line."""
    async with somebody(chromium, server.url) as person:
        await person.page.keyboard.type("first")
        await person.page.keyboard.press("Shift+Enter")
        await person.page.keyboard.type("line two")
        await person.page.keyboard.press("Enter")
        assert await person.hears_the_end() == "first\nline two"
        conversation_id = await person.conversation_id()
        await person.page.keyboard.type("second")
        await person.page.keyboard.press("Enter")
        await expect(person.replies).to_have_count(2)
        assert await person.hears_the_end() == "second"
        assert await person.conversation_id() == conversation_id
        await expect(person.message).to_be_focused()


@pytest.mark.parametrize("how", ["button", "key"])
async def test_a_reply_can_be_stopped(how: str, chromium: Browser, server: LiveServer) -> None:
    """The text so far is kept, on the page and in the store; and the user can retry."""
    async with somebody(chromium, server.url) as person:
        await person.say("/simulate stall_after=3\nsome words that stay unsaid")
        await person.hears("some words")
        await (person.stop.click() if how == "button" else person.page.keyboard.press("Escape"))
        await expect(person.reply.locator(".note")).to_have_text("Stopped.")
        await expect(person.page.get_by_role("button", name="Send")).to_be_visible()
        heard = await person.hears_the_end()
        assert "unsaid" not in heard
        await person.page.reload()
        await expect(person.reply.locator(".note")).to_have_text("Stopped.")
        assert await person.hears_the_end() == heard
        await person.reply.get_by_role("button", name="Try again").click()
        await expect(person.reply.get_by_role("group", name="Version 2 of 2")).to_be_visible()
        await person.hears("some words")
        await person.stop.click()
        await person.hears_the_end()
        await expect(person.sayings).to_have_count(1)


async def test_a_reply_can_be_stopped_before_its_first_word(chromium: Browser, server: LiveServer) -> None:
    """As soon as its id is known."""
    async with somebody(chromium, server.url) as person:
        await person.say("/simulate first_ms=60000\nnever")
        await person.stop.click()
        await expect(person.reply.locator(".note")).to_have_text("Stopped.")


async def test_conversations_are_listed_opened_and_deleted(chromium: Browser) -> None:
    """Each under its first message, the most recent on top; deleted ones stay deleted."""
    with LiveServer() as server:
        async with somebody(chromium, server.url) as person:
            for said in ("about apples", "about pears"):
                await person.say(said)
                await person.hears_the_end()
                await person.page.get_by_role("button", name="New chat").click()
                await expect(person.replies).to_have_count(0)
            await expect(person.conversations).to_have_text([re.compile("about pears"), re.compile("about apples")])
            await person.conversations.last.click()
            await person.hears("about apples")
            await expect(person.page).to_have_title("about apples · Chat")
            await person.page.go_back()
            await expect(person.replies).to_have_count(0)
            await person.page.go_forward()
            await person.hears("about apples")
            await person.page.get_by_role("button", name="Delete “about apples”").click()
            await person.page.get_by_role("button", name="Cancel").click()
            await person.page.get_by_role("button", name="Delete “about apples”").click()
            await person.page.get_by_role("button", name="Delete", exact=True).click()
            await expect(person.conversations).to_have_text([re.compile("about pears")])
            await expect(person.replies).to_have_count(0)


async def test_a_long_list_is_shown_a_page_at_a_time(chromium: Browser) -> None:
    """With more on demand."""
    with LiveServer() as server:
        async with somebody(chromium, server.url) as person:
            await person.page.evaluate("""async () => {
                for (let n = 0; n < 23; n += 1) await fetch("/api/replies", {
                    method: "POST", headers: { "Content-Type": "application/json" },
                    body: JSON.stringify({ user_message: `number ${n}` }) });
            }""")
            await person.page.reload()
            await expect(person.conversations).to_have_count(20)
            await person.page.get_by_role("button", name="Show more").click()
            await expect(person.conversations).to_have_count(23)
            await expect(person.page.get_by_role("button", name="Show more")).to_be_hidden()
            await person.page.get_by_role("searchbox").fill("number")
            await expect(person.conversations).to_have_count(20)
            await person.page.get_by_role("button", name="Show more").click()
            await expect(person.conversations).to_have_count(23)
            await person.page.get_by_role("searchbox").fill("number 7")
            await expect(person.conversations).to_have_count(1)


async def test_what_is_copied_is_what_was_said(chromium: Browser, server: LiveServer) -> None:
    """The Markdown source, not its rendering; for code, the code."""
    text = "**Bold** and\n\n```py\nprint(1)\n```\n\nlast  words"
    async with somebody(chromium, server.url) as person:
        await person.say(text)
        await person.hears_the_end()
        assert await person.copied() == text
        await person.reply.get_by_role("button", name="Copy this py").click()
        await expect(person.reply.get_by_role("button", name="Copy this py")).to_have_text("Copied")
        assert await person.page.evaluate("navigator.clipboard.readText()") == "print(1)"


async def test_a_reply_goes_on_while_another_conversation_is_open(chromium: Browser) -> None:
    """It needs no reader, so the tab closes its connection: browsers allow six per server."""
    with LiveServer(resume_window_seconds=0) as server:
        async with somebody(chromium, server.url) as person:
            await person.say("/simulate pace_ms=100\n" + "word " * 12 + "end")
            await person.hears("word")
            await person.page.get_by_role("button", name="New chat").click()
            await person.say("something else")
            await person.hears("something else")
            await person.conversations.last.click()
            await person.hears("end")
            await expect(person.reply.locator(".note")).to_be_hidden()


async def _shown(person: Person) -> str:
    colour: str = await person.page.evaluate("getComputedStyle(document.body).backgroundColor")
    return colour


async def test_it_is_light_or_dark_as_people_like_it(chromium: Browser, server: LiveServer) -> None:
    """As in the system's settings, until the user chooses otherwise; the choice is remembered."""
    async with somebody(chromium, server.url, color_scheme="dark") as person:
        dark = await _shown(person)
        await person.page.emulate_media(color_scheme="light")
        light = await _shown(person)
        assert light != dark
        await person.page.get_by_role("button", name="Use dark colours").click()
        assert await _shown(person) == dark
        await person.page.reload()
        assert await _shown(person) == dark
        await person.page.get_by_role("button", name="Use light colours").click()
        assert await _shown(person) == light


async def test_it_fits_on_a_phone(chromium: Browser, server: LiveServer) -> None:
    """Nothing is wider than the screen, and the list is available on demand."""
    wide = "x" * 200
    async with somebody(chromium, server.url, **PHONE) as person:
        await person.say(f"{wide}\n\n    {wide}\n\n| {wide} | b |\n|---|---|\n| c | d |")
        await person.hears_the_end()
        assert await person.page.evaluate("document.documentElement.scrollWidth") == 390
        assert await person.page.evaluate("document.querySelector('#scroller').scrollWidth") <= 390
        await expect(person.conversations.first).not_to_be_in_viewport()
        await person.page.get_by_role("button", name="Open the list of conversations").click()
        await expect(person.conversations.first).to_be_in_viewport()
        await person.page.keyboard.press("Escape")
        await expect(person.conversations.first).not_to_be_in_viewport()


async def test_a_draft_survives_a_reload(chromium: Browser, server: LiveServer) -> None:
    """Until it is sent."""
    async with somebody(chromium, server.url) as person:
        await person.page.keyboard.type("half a thou")
        await person.page.reload()
        await expect(person.message).to_have_value("half a thou")


async def test_it_works_below_a_path(chromium: Browser, server: LiveServer) -> None:
    """Behind a proxy with a path prefix; nothing is requested elsewhere."""
    async with FaultyProxy(server.port, Fault(), prefix="/some/where") as proxy, visitor(chromium) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(f"{proxy.url}/")
        person = Person(page)
        await person.say("/simulate pace_ms=20\nbelow a path")
        assert await person.hears_the_end() == "below a path"
        await page.reload()
        assert await person.hears_the_end() == "below a path"
        await person.say("/simulate stall_after=3\nsome words that stay unsaid")
        await person.hears("some words")
        await page.reload()
        await person.hears("some words")
        await person.stop.click()
        await expect(person.note).to_have_text("Stopped.")
        await expect(person.conversations.first).to_contain_text("below a path")
        assert all(url.startswith(f"{proxy.url}/") for url in asked)
