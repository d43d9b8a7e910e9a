"""The pages in Firefox: what browsers do differently. All the rest is tested in Chromium."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, expect

from tests.browser.people import Person, talks_in_arabic
from tests.support import browser
from tests.support.browser import until, visitor
from tests.support.cable import Cable
from tests.support.databases import fresh_database_url
from tests.support.keys import made_key
from tests.support.server import LiveServer

_WORDS = [f"word{n}" for n in range(40)]
_TALK = "/simulate pace_ms=50\n" + " ".join(_WORDS)
_SILENT = "/simulate stall_after=3\nsome words that stay unsaid"


@pytest.fixture(scope="module")
async def firefox() -> AsyncIterator[Browser]:
    """One browser for all tests; each test has its own profile in it."""
    async with browser.firefox() as launched:
        yield launched


@asynccontextmanager
async def _page(firefox: Browser, url: str, path: str = "/", **options: Any) -> AsyncIterator[Page]:  # noqa: ANN401
    """A page of the service. Fails if it asks another host, breaks its policy or reports an error in the console."""
    asked: list[str] = []
    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(message.text)

    async with visitor(firefox, **options) as page:
        page.context.on("request", lambda request: asked.append(request.url))
        page.context.on("console", note)
        await page.goto(f"{url}{path}")
        yield page
        assert await page.evaluate("violations") == []
    assert errors == []
    assert [at for at in asked if not at.startswith((f"{url}/", "data:", "blob:"))] == []


@asynccontextmanager
async def _somebody(firefox: Browser, url: str, **options: Any) -> AsyncIterator[Person]:  # noqa: ANN401 - as `_page`
    async with _page(firefox, url, **options) as page:
        yield Person(page)


@pytest.fixture(scope="module")
async def visit(firefox: Browser, server: LiveServer) -> AsyncIterator[Person]:
    """One for several tests: in Firefox, a new window and the page's fifty requests cost as much as most of them."""
    async with _somebody(firefox, server.url) as person:
        yield person


@pytest.fixture
async def person(visit: Person) -> Person:
    """The user of that visit, in a new conversation."""
    await visit.page.get_by_role("button", name="New chat").click()
    await expect(visit.replies).to_have_count(0)
    await expect(visit.message).to_be_focused()
    return visit


async def test_words_appear_as_they_come_until_the_reply_is_stopped(person: Person) -> None:
    """With the button and with the key; what has arrived is kept."""
    await person.page.keyboard.type("/simulate stall_after=3")
    await person.page.keyboard.press("Shift+Enter")
    await person.page.keyboard.type("some words that stay unsaid")
    await person.page.keyboard.press("Enter")
    await person.hears("some words")
    await expect(person.reply).to_have_attribute("aria-busy", "true")
    await person.stop.click()
    await expect(person.note).to_have_text("Stopped.")
    await expect(person.message).to_be_focused()
    await person.say(_SILENT)
    await expect(person.replies).to_have_count(2)
    await expect(person.stop).to_be_focused()
    await person.hears("some words")
    await person.page.keyboard.press("Escape")
    await expect(person.note).to_have_text("Stopped.")
    assert "unsaid" not in await person.hears_the_end()


async def test_a_reply_goes_on_after_cuts_and_a_reload(firefox: Browser, server: LiveServer) -> None:
    """Also if the message could not be sent at first. Every word is there once, and so is the message."""
    async with Cable(server.port) as cable, _somebody(firefox, cable.url) as person:
        cable.cut()
        await person.say(_TALK)
        await expect(person.note).to_contain_text("Connection lost")
        cable.join()
        await person.hears("word3")
        cable.shake()
        await person.hears("word9")
        await person.page.reload()
        assert (await person.hears_the_end()).split() == _WORDS
        await expect(person.note).to_be_hidden()
        await expect(person.sayings).to_have_count(1)
        await expect(person.replies).to_have_count(1)


async def test_branches_are_made_and_shown(person: Person) -> None:
    """A regenerated reply and an edited message; the focus stays at the switcher."""
    await person.say("one")
    await person.hears_the_end()
    await person.reply.get_by_role("button", name="Regenerate this reply").click()
    await expect(person.reply.get_by_role("group", name="Version 2 of 2")).to_be_visible()
    assert await person.hears_the_end() == "one"
    await person.sayings.first.hover()
    await person.sayings.first.get_by_role("button", name="Edit this message").click()
    await person.page.get_by_role("textbox", name="Edited message").fill("uno")
    await person.page.keyboard.press("Enter")
    await expect(person.text).to_have_text("uno")
    await person.hears_the_end()
    await person.page.get_by_role("button", name="Previous version").click()
    await expect(person.text).to_have_text("one")
    await expect(person.sayings.get_by_role("button", name="Next version")).to_be_focused()


async def test_a_conversation_is_renamed_searched_exported_and_deleted(firefox: Browser, server: LiveServer) -> None:
    """The menu and its dialogs end with Escape, which then does not stop the reply."""
    async with _somebody(firefox, server.url) as person:
        menu = person.page.get_by_role("button", name="More about this conversation")
        await person.say(_SILENT)
        await person.hears("some words")
        await menu.click()
        await person.page.keyboard.press("Escape")
        await expect(person.page.locator("#menu")).to_be_hidden()
        await menu.click()
        await person.page.get_by_role("button", name="Rename").click()
        title = person.page.get_by_label("Title")
        await expect(title).to_be_focused()
        await title.fill("Pears")
        await person.page.keyboard.press("Escape")
        await expect(title).to_be_hidden()
        await expect(person.reply).to_have_attribute("aria-busy", "true")
        await menu.click()
        await person.page.get_by_role("button", name="Rename").click()
        await title.fill("Quinces")
        await person.page.keyboard.press("Enter")
        await expect(person.page.get_by_role("heading", level=1)).to_have_text("Quinces")
        await person.stop.click()
        await expect(person.note).to_have_text("Stopped.")
        await person.page.get_by_role("searchbox").fill("quinces")
        await expect(person.conversations).to_have_text([re.compile("^Quinces")])
        async with person.page.expect_download() as download:
            await menu.click()
            await person.page.get_by_role("button", name="Export as Markdown").click()
        assert (await download.value).suggested_filename == "Quinces.md"
        await person.page.get_by_role("button", name="Delete “Quinces”").click()
        await person.page.get_by_role("button", name="Delete", exact=True).click()
        await expect(person.replies).to_have_count(0)
        await expect(person.page.get_by_text("No conversation has these words.")).to_be_visible()


async def test_what_is_copied_is_what_was_said(firefox: Browser, server: LiveServer) -> None:
    """By the buttons, as seen by pasting it; by hand, without the buttons' own texts."""
    text = "**Bold** and\n\n```py\nprint(1)\n```\n\nlast  words"
    async with _somebody(firefox, server.url) as person:
        await person.say(text)
        await person.hears_the_end()
        for name, copied in (("Copy this reply", text), ("Copy this py", "print(1)")):
            await person.page.evaluate("document.querySelector('#announcer').textContent = ''")
            await person.reply.get_by_role("button", name=name).click()
            await expect(person.page.locator("#announcer")).to_have_text("Copied")
            await person.message.fill("")
            await person.page.keyboard.press("Control+V")
            await expect(person.message).to_have_value(copied)
        await person.page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")  # plain HTTP
        button = person.reply.get_by_role("button", name="Copy this reply")
        await person.page.evaluate("document.querySelector('#announcer').textContent = ''")
        await button.press("Enter")
        await expect(person.page.locator("#announcer")).to_have_text("Copied")
        await expect(button).to_be_focused()
        await person.message.fill("")
        await person.page.keyboard.press("Control+V")
        await expect(person.message).to_have_value(text)
        await person.scroller.focus()
        await person.text.evaluate("(text) => getSelection().selectAllChildren(text)")
        await person.page.keyboard.press("Control+C")
        await person.message.fill("")
        await person.page.keyboard.press("Control+V")
        pasted = await person.message.input_value()
        assert pasted.split() == ["Bold", "and", "print(1)", "last", "words"]


_COMPOSE = """(box) => {
    const tell = (Kind, type, init) => box.dispatchEvent(new Kind(type, { bubbles: true, cancelable: true, ...init }));
    const press = (init) => {
        tell(KeyboardEvent, "keydown", init);
        tell(KeyboardEvent, "keyup", { ...init, isComposing: false });
    };
    tell(KeyboardEvent, "keydown", { key: "Process", keyCode: 229 });
    tell(CompositionEvent, "compositionstart");
    box.value = "にほん";
    tell(CompositionEvent, "compositionupdate", { data: "にほん" });
    tell(InputEvent, "input", { data: "にほん", isComposing: true, inputType: "insertCompositionText" });
    for (const key of ["Enter", "Escape"]) {
        press({ key, isComposing: true }); // as Firefox has it
        press({ key, keyCode: 229 }); // as Safari has it, after the composition
    }
    box.value = "日本";
    tell(CompositionEvent, "compositionend", { data: "日本" });
    tell(InputEvent, "input", { data: "日本", inputType: "insertCompositionText" });
}"""


async def test_keys_of_an_input_method_send_and_stop_nothing(person: Person) -> None:
    """They choose words, or end the composition."""
    await person.say(_SILENT)
    await person.hears("some words")
    await person.message.evaluate(_COMPOSE)
    await expect(person.message).to_have_value("日本")
    await expect(person.reply).to_have_attribute("aria-busy", "true")
    await person.page.keyboard.press("Escape")
    await expect(person.note).to_have_text("Stopped.")
    await person.message.evaluate(_COMPOSE)
    await expect(person.replies).to_have_count(1)
    await person.page.keyboard.press("Enter")
    await expect(person.replies).to_have_count(2)
    assert await person.hears_the_end() == "日本"


async def test_any_move_up_ends_following(person: Person) -> None:
    """With the wheel or a key: new words do not move what is being read. Scrolling to the end resumes following."""
    await person.say("/simulate pace_ms=5 stall_after=600\n" + "A line of words that is read.\n\n" * 120)
    latest = person.page.get_by_role("button", name="Latest")
    for seen, step in enumerate(("wheel", "ArrowUp", "Shift+Space"), 1):
        await expect(person.text.locator("p").nth(20 * seen)).to_be_attached()
        if step == "wheel":
            await person.scroller.hover()
            await person.page.mouse.wheel(0, -10)
        else:
            await person.scroller.focus()
            await person.page.keyboard.press(step)
        await expect(latest).to_be_visible()
        await latest.click()
        await expect(latest).to_be_hidden()
    await person.stop.click()
    await person.hears_the_end()


async def test_the_boxes_grow_with_their_text(person: Person) -> None:
    """Also with a long line; and shrink again."""
    small = await _height(person.message)
    await person.message.fill("long " * 80)
    assert await _height(person.message) > small * 2
    assert await person.message.evaluate("(box) => box.scrollHeight <= box.clientHeight")
    await person.message.fill("")
    assert await _height(person.message) == small
    await person.say("short")
    await person.hears_the_end()
    assert await _height(person.message) == small
    await person.sayings.first.hover()
    await person.sayings.first.get_by_role("button", name="Edit this message").click()
    box = person.page.get_by_role("textbox", name="Edited message")
    short = await _height(box)
    await box.fill("long " * 80)
    assert await _height(box) > short


async def _height(box: Any) -> int:  # noqa: ANN401
    height: int = await box.evaluate("(box) => box.offsetHeight")
    return height


async def test_where_a_key_is_asked_for_people_are_asked_for_it(firefox: Browser) -> None:
    """And told if it is wrong; a reload finds it."""
    url = fresh_database_url("sqlite")
    key, _ = await made_key(url)
    with LiveServer(database_url=url) as server:
        async with _somebody(firefox, server.url) as person:
            field = person.page.get_by_label("Key or token")
            await expect(field).to_be_focused()
            await field.fill("chat_“wrong”")
            await person.page.keyboard.press("Enter")
            await expect(person.page.get_by_role("dialog")).to_contain_text("This is not a key")
            await field.fill(key)
            await person.page.keyboard.press("Enter")
            await person.say("let me in")
            assert await person.hears_the_end() == "let me in"
            await person.page.reload()
            assert await person.hears_the_end() == "let me in"


async def test_the_page_is_in_the_browsers_language(firefox: Browser, server: LiveServer) -> None:
    """From right to left if that is its direction."""
    async with _somebody(firefox, server.url, locale="ar-EG") as person:
        await talks_in_arabic(person)


async def test_the_api_reference_works(firefox: Browser, server: LiveServer) -> None:
    """It shows the stream's events."""
    async with _page(firefox, server.url, "/docs") as page:
        await until(page, "document.body.innerText.includes('Send a message and stream the reply')")
        await until(page, "document.body.innerText.includes('ReplyStream')")


async def test_code_is_coloured_and_shortcuts_work(person: Person) -> None:
    """And the day is named."""
    await person.say("```py\nprint('a')\n```")
    await person.hears_the_end()
    await expect(person.text.locator("pre .string")).to_have_text("'a'")
    await expect(person.page.locator("#log > .day")).to_have_text("Today")
    await person.page.keyboard.press("Alt+Shift+H")
    await expect(person.page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    await person.page.keyboard.press("Escape")
    await expect(person.page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_hidden()
