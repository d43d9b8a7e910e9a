"""Conversations on the chat page: names, search, export and deletion; and what people think of replies."""

import asyncio
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import anyio
from playwright.async_api import Browser, Locator, Response, Route, expect

from tests.browser.people import FILL, PHONE, Person, somebody
from tests.support.completions import DONE, chunk, finish, stream, usage
from tests.support.engine import FakeEngine, engine_beside
from tests.support.server import LiveServer


async def _says(person: Person, *messages: str) -> None:
    """Each in a conversation of its own."""
    for message in messages:
        await person.page.get_by_role("button", name="New chat").click()
        await expect(person.replies).to_have_count(0)
        await person.say(message)
        await expect(person.replies).to_have_count(1)
        await person.hears_the_end()


async def _chooses(person: Person, what: str) -> None:
    await person.page.get_by_role("button", name="More about this conversation").click()
    await person.page.locator("#menu").get_by_role("button", name=what).click()


async def test_a_conversation_is_renamed(chromium: Browser, server: LiveServer) -> None:
    """In the header, in the list and in other tabs; a reload finds the name."""
    async with somebody(chromium, server.url) as person:
        await _says(person, "a conversation about pears")
        other = await person.another_tab()
        await other.hears("pears")
        await _chooses(person, "Rename")
        field = person.page.get_by_label("Title")
        await expect(field).to_have_value("a conversation about pears")
        await field.fill("  ")
        await person.page.keyboard.press("Enter")
        await expect(field).to_be_visible()
        await field.fill("<b>Fruit</b> & שלום")
        await person.page.keyboard.press("Enter")
        for tab in (person, other):
            await expect(tab.page.get_by_role("heading", level=1)).to_have_text("<b>Fruit</b> & שלום")
            await expect(tab.conversations.first).to_contain_text("<b>Fruit</b> & שלום")
        await person.page.reload()
        await expect(person.page).to_have_title("\u2068<b>Fruit</b> & שלום\u2069 · Chat")
        await _chooses(person, "Rename")
        await person.page.keyboard.press("Escape")
        await expect(field).to_be_hidden()


async def test_more_conversations_come_while_the_list_is_renewed(chromium: Browser) -> None:
    """Which happens whenever a reply begins, here or in another tab."""
    with LiveServer() as server:
        async with somebody(chromium, server.url) as person:
            await person.page.evaluate(FILL, 24)
            await person.page.reload()
            await expect(person.conversations).to_have_count(20)
            asked, go = asyncio.Event(), asyncio.Event()

            async def slowly(route: Route) -> None:
                asked.set()
                await go.wait()
                await route.continue_()

            await person.page.route(re.compile("cursor="), slowly)
            await person.page.locator("#more-conversations").click()
            await asked.wait()
            await person.say("hello")
            await person.hears_the_end()
            await expect(person.conversations).to_have_count(21)
            go.set()
            await expect(person.conversations).to_have_count(25)


async def test_conversations_are_searched(chromium: Browser) -> None:
    """In titles and texts, with one request for what is typed at once. If nothing is found, the page says so."""
    with LiveServer() as server:
        async with somebody(chromium, server.url) as person:
            await _says(person, "about apples", "about pears", "other things")
            asked: list[str] = []
            person.page.on("request", lambda request: asked.append(request.url))
            box = person.page.get_by_role("searchbox", name="Search conversations")
            await person.page.clock.install()
            await person.page.clock.pause_at(datetime.now(UTC) + timedelta(minutes=1))
            await box.press_sequentially("about")
            await person.page.clock.resume()
            await expect(person.conversations).to_have_text([re.compile("about pears"), re.compile("about apples")])
            assert len([url for url in asked if "search=" in url]) == 1
            await box.fill("zebras & <b>")
            await expect(person.page.get_by_text("No conversation has these words.")).to_be_visible()
            await expect(person.conversations).to_have_count(0)
            await box.press("Escape")
            await expect(person.conversations).to_have_count(3)
            await expect(person.page.get_by_text("No conversation has these words.")).to_be_hidden()
            await box.fill("apples")
            await expect(person.conversations).to_have_count(1)
            await person.conversations.first.click()
            await person.hears("about apples")
            await expect(box).to_have_value("apples")


async def test_what_was_found_is_shown_where_it_is(chromium: Browser) -> None:
    """Below the title, with the words marked, as text in its own direction; in the title if it is all that was said."""
    with LiveServer() as server:
        async with somebody(chromium, server.url) as person:
            await _says(
                person,
                "Größe 🎈 <b>pears</b>",
                "Things that are mentioned in the end: " + "talk " * 40 + "<b>🎈 GRÖSSE</b>",
            )
            await _says(person, "a chat about things\n\n" + "مرحبا بالعالم")
            excerpts = person.conversations.locator(".excerpt")
            marks = person.conversations.locator("mark")
            await expect(marks).to_have_count(0)
            box = person.page.get_by_role("searchbox", name="Search conversations")
            await box.fill("grosse")
            await expect(marks).to_have_text(["GRÖSSE", "Größe"])
            await expect(excerpts).to_have_text([re.compile("^…talk .* talk <b>🎈 GRÖSSE</b>$")])
            await expect(person.conversations.last.locator("bdi")).to_have_text(["Größe 🎈 <b>pears</b>"])
            link = person.conversations.first
            assert (await link.inner_text()).count("GRÖSSE") == 1
            assert await link.evaluate("(link) => [link.title, link.getAttribute('aria-describedby')]") == ["", None]
            await box.fill("بالع")
            await expect(marks).to_have_text(["بالع"])
            await box.fill("")
            await expect(marks).to_have_count(0)


async def test_the_search_s_escape_does_not_stop_a_reply(chromium: Browser, server: LiveServer) -> None:
    """Nor do the menu's and an editor's."""
    async with somebody(chromium, server.url) as person:
        await person.say("/simulate stall_after=3\nsome words that stay unsaid")
        await person.hears("some words")
        await person.page.get_by_role("searchbox").fill("words")
        await person.page.keyboard.press("Escape")
        await person.page.get_by_role("button", name="More about this conversation").click()
        await expect(person.page.locator("#menu")).to_be_visible()
        await person.page.keyboard.press("Escape")
        await expect(person.page.locator("#menu")).to_be_hidden()
        await person.sayings.first.get_by_role("button", name="Edit this message").click()
        await person.page.keyboard.press("Escape")
        await expect(person.reply).to_have_attribute("aria-busy", "true")
        await person.page.keyboard.press("Escape")
        await expect(person.note).to_have_text("Stopped.")


async def test_all_conversations_are_deleted_once_that_is_confirmed(chromium: Browser) -> None:
    """Also from what other tabs show."""
    with LiveServer() as server:
        async with somebody(chromium, server.url) as person:
            everything = person.page.get_by_role("button", name="Delete all", exact=True)
            await expect(everything).to_be_hidden()
            await _says(person, "apples", "pears")
            other = await person.another_tab()
            await other.hears("pears")
            await everything.click()
            await person.page.get_by_role("button", name="Cancel").click()
            await expect(person.conversations).to_have_count(2)
            await everything.click()
            await person.page.get_by_role("button", name="Delete all of them").click()
            for tab in (person, other):
                await expect(tab.conversations).to_have_count(0)
                await expect(tab.replies).to_have_count(0)
            await expect(person.page.get_by_text("Your conversations will appear here.")).to_be_visible()
            await expect(everything).to_be_hidden()


async def test_older_conversations_are_renamed_and_deleted_in_the_list(chromium: Browser) -> None:
    """Those after the first page, too, and in other tabs."""
    with LiveServer() as server:
        async with somebody(chromium, server.url) as person:
            await person.page.evaluate(FILL, 24)
            other = Person(await person.page.context.new_page())
            for tab in (other, person):
                await tab.page.bring_to_front()  # browsers draw rarely what is hidden, and clicks wait for that
                await tab.page.goto(server.url)
                await tab.page.locator("#more-conversations").click()
                await expect(tab.conversations).to_have_count(24)
            await person.page.get_by_role("button", name="Delete “number 0”").click()
            await person.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
            for tab in (person, other):
                await expect(tab.conversations).to_have_count(23)
                await expect(tab.conversations.last).to_contain_text("number 1")
            await person.conversations.last.click()
            await person.hears("number 1")
            await _chooses(person, "Rename")
            await person.page.get_by_label("Title").fill("another name")
            await person.page.keyboard.press("Enter")
            for tab in (person, other):
                await expect(tab.conversations.filter(has_text="another name")).to_have_count(1)
                await expect(tab.conversations.get_by_text("number 1", exact=True)).to_have_count(0)
                await expect(tab.conversations).to_have_count(23)


async def test_a_search_that_failed_or_is_slow_mixes_nothing(chromium: Browser) -> None:
    """It can be repeated; meanwhile "Show more" does not continue another list."""
    with LiveServer() as server:
        async with somebody(chromium, server.url) as person:
            await person.page.evaluate(FILL, 24)
            await person.page.reload()
            await expect(person.conversations).to_have_count(20)
            box = person.page.get_by_role("searchbox", name="Search conversations")
            await person.page.context.set_offline(offline=True)
            await box.fill("number 2")
            await expect(person.page.locator("#list-problem")).to_contain_text("The list could not be loaded.")
            await person.page.context.set_offline(offline=False)
            await box.fill("number 2")
            await expect(person.conversations).to_have_count(5)  # 2, 20, 21, 22 and 23
            await box.fill("")
            await expect(person.conversations).to_have_count(20)
            holding = asyncio.Event()
            asked = asyncio.Event()

            async def hold(route: Route) -> None:
                asked.set()
                await holding.wait()
                await route.continue_()

            await person.page.route(re.compile("search="), hold)
            await box.fill("number 1")
            await asked.wait()
            await person.page.locator("#more-conversations").click()
            holding.set()
            await expect(person.conversations).to_have_count(11)
            await expect(person.conversations.filter(has_text="number 1")).to_have_count(11)


async def _saved(person: Person, how: str) -> tuple[str, str]:
    async with person.page.expect_download() as download:
        await _chooses(person, f"Export as {how}")
    file = await download.value
    return file.suggested_filename, (await anyio.Path(await file.path()).read_text("utf-8"))


async def test_a_conversation_is_exported(chromium: Browser, server: LiveServer) -> None:
    """As files that are named after it: one for people, one with all branches for programs."""
    async with somebody(chromium, server.url) as person:
        await _says(person, "and/or: “what?”")
        await person.reply.get_by_role("button", name="Regenerate this reply").click()
        await expect(person.reply.get_by_role("group", name="Version 2 of 2")).to_be_visible()
        await person.hears_the_end()
        name, text = await _saved(person, "Markdown")
        assert name == "and or “what ”.md"
        assert text.count("and/or: “what?”") == 3  # the title, the message and its chosen reply
        name, text = await _saved(person, "JSON")
        assert name.endswith(".json")
        assert [entry["message"]["role"] for entry in json.loads(text)["messages"]] == [
            "user",
            "assistant",
            "assistant",
        ]


def _pressed(person: Person, name: str) -> Locator:
    return person.reply.get_by_role("button", name=name, pressed=True)


async def test_people_say_what_they_think_of_a_reply(chromium: Browser, server: LiveServer) -> None:
    """Up or down, with a note; it is stored at once, and can be changed and taken back."""
    async with somebody(chromium, server.url) as person:
        await _says(person, "an opinion")
        await expect(person.reply.get_by_role("button", name="Say why")).to_be_hidden()
        await person.reply.get_by_role("button", name="Good reply").click()
        await person.reply.get_by_role("button", name="Say why").click()
        await person.page.get_by_label("Note").fill("clear & short")
        async with person.page.expect_response("**/feedback"):
            await person.page.get_by_role("button", name="Save").click()
        await person.page.reload()
        await expect(_pressed(person, "Good reply")).to_be_visible()
        async with person.page.expect_response("**/feedback"):
            await person.reply.get_by_role("button", name="Bad reply").click()
        await person.page.reload()
        await expect(_pressed(person, "Bad reply")).to_be_visible()
        await expect(_pressed(person, "Good reply")).to_have_count(0)
        await person.reply.get_by_role("button", name="Say why").click()
        await expect(person.page.get_by_label("Note")).to_have_value("clear & short")
        await person.page.get_by_role("button", name="Cancel").click()
        async with person.page.expect_response("**/feedback"):
            await person.reply.get_by_role("button", name="Bad reply").click()
        await person.page.reload()
        await expect(person.reply.get_by_role("button", name="Bad reply")).to_be_visible()
        await expect(_pressed(person, "Bad reply")).to_have_count(0)


async def test_the_last_opinion_is_the_one_that_is_stored(chromium: Browser, server: LiveServer) -> None:
    """Also if the request for an earlier one is slow."""
    async with somebody(chromium, server.url) as person:
        await _says(person, "an opinion")
        holding = asyncio.Event()

        async def hold(route: Route) -> None:
            if '"up"' in (route.request.post_data or ""):
                await holding.wait()
            await route.continue_()

        await person.page.route("**/feedback", hold)
        await person.reply.get_by_role("button", name="Good reply").click()
        await person.reply.get_by_role("button", name="Bad reply").click()
        await expect(_pressed(person, "Bad reply")).to_be_visible()
        async with person.page.expect_response(_stores("up")), person.page.expect_response(_stores("down")):
            holding.set()
        await person.page.reload()
        await expect(_pressed(person, "Bad reply")).to_be_visible()


def _stores(rating: str) -> Callable[[Response], bool]:
    return lambda response: f'"{rating}"' in (response.request.post_data or "")


async def test_what_could_not_be_stored_is_said(chromium: Browser, server: LiveServer) -> None:
    """And not shown as if it were."""
    async with somebody(chromium, server.url) as person:
        await _says(person, "an opinion")
        await person.page.context.set_offline(offline=True)
        await person.reply.get_by_role("button", name="Good reply").click()
        await expect(person.page.get_by_role("alert")).to_contain_text("Your feedback could not be stored.")
        await expect(_pressed(person, "Good reply")).to_have_count(0)
        await _chooses(person, "Export as JSON")
        await expect(person.page.get_by_role("alert")).to_contain_text("The conversation could not be exported.")


async def test_what_a_reply_has_cost_is_shown_on_wish(chromium: Browser) -> None:
    """As the model counts it; while it is new, and when it is read again."""
    engine = FakeEngine(stream(chunk("Gladly, of course."), finish(), usage(1200, 34), DONE))
    with engine_beside(engine), LiveServer("openai", openai_base_url=engine.url, openai_model="m") as server:
        async with somebody(chromium, server.url) as person:
            await expect(person.page.locator("#who")).to_have_text("Chat · m")
            await _says(person, "would you?")
            for _ in range(2):
                line = person.reply.locator(".details")
                await expect(line).to_be_hidden()
                await person.reply.get_by_role("button", name="Details of this reply").click()
                await expect(line).to_have_text("Words: 3 · Tokens read: 1,200 · Tokens written: 34")
                await person.page.reload()


async def test_a_phone_has_room_for_all_of_it(chromium: Browser, server: LiveServer) -> None:
    """Nothing is wider than the screen, also while a message is edited."""
    async with somebody(chromium, server.url, **PHONE) as person:
        await person.say("a message " * 20)
        await person.hears_the_end()
        await person.reply.get_by_role("button", name="Regenerate this reply").click()
        await expect(person.reply.get_by_role("group", name="Version 2 of 2")).to_be_visible()
        await person.hears_the_end()
        await person.reply.get_by_role("button", name="Good reply").click()
        await person.reply.get_by_role("button", name="Details of this reply").click()
        await person.sayings.first.get_by_role("button", name="Edit this message").click()
        assert await person.page.evaluate("document.querySelector('#scroller').scrollWidth") <= 390
        await _chooses(person, "Rename")
        await expect(person.page.get_by_label("Title")).to_be_in_viewport(ratio=1)
