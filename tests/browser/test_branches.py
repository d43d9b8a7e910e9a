"""Branches on the chat page: regenerated replies and edited messages, and the way between them."""

import asyncio
import re
from random import Random

import pytest
from playwright.async_api import Browser, Locator, Route, expect

from tests.browser.people import Person, somebody
from tests.support.databases import fresh_database_url
from tests.support.keys import made_key
from tests.support.server import LiveServer

_SLOW = "/simulate pace_ms=100\n" + " ".join(f"word{n}" for n in range(40))
_SILENT = "/simulate stall_after=3\nsome words that stay unsaid"


async def _edit(person: Person, turn: Locator, text: str) -> None:
    await turn.hover()
    await turn.get_by_role("button", name="Edit this message").click()
    await person.page.get_by_role("textbox", name="Edited message").fill(text)
    await person.page.keyboard.press("Enter")


def _versions(turn: Locator) -> Locator:
    return turn.get_by_role("group", name=re.compile("^Version"))


async def _go(turn: Locator, way: str) -> None:
    await turn.get_by_role("button", name=f"{way} version").click()


async def test_a_reply_is_regenerated_beside_the_old_one(chromium: Browser, server: LiveServer) -> None:
    """The message is there once; both replies can be seen, and the server remembers which one was."""
    async with somebody(chromium, server.url) as person:
        await person.say("first")
        await person.hears_the_end()
        await person.say("second")
        await expect(person.replies).to_have_count(2)
        await person.hears_the_end()
        await person.replies.first.get_by_role("button", name="Regenerate this reply").click()
        await expect(_versions(person.replies.first)).to_have_text("2/2")
        await expect(person.sayings).to_have_text(["first"])
        assert await person.hears_the_end() == "first"
        await expect(person.message).to_be_focused()
        await person.page.reload()
        await expect(_versions(person.replies.first)).to_have_text("2/2")
        await _go(person.replies.first, "Previous")
        await expect(person.sayings).to_have_text(["first", "second"])
        await expect(_versions(person.replies.first)).to_have_text("1/2")
        await expect(person.replies.first.get_by_role("button", name="Next version")).to_be_focused()
        await person.page.reload()
        await expect(person.sayings).to_have_text(["first", "second"])
        await person.say("third")
        await expect(person.sayings).to_have_text(["first", "second", "third"])


async def test_an_edited_message_is_sent_beside_the_old_one(chromium: Browser, server: LiveServer) -> None:
    """What came after it stays on the old branch; an edit can be cancelled, and edited again."""
    async with somebody(chromium, server.url) as person:
        for number, said in enumerate(("one", "two"), 1):
            await person.say(said)
            await expect(person.replies).to_have_count(number)
            await person.hears_the_end()
        await person.sayings.first.hover()
        await person.sayings.first.get_by_role("button", name="Edit this message").click()
        box = person.page.get_by_role("textbox", name="Edited message")
        await expect(box).to_have_value("one")
        await expect(box).to_be_focused()
        await person.page.keyboard.press("Escape")
        await expect(person.sayings).to_have_text(["one", "two"])
        await expect(person.sayings.first.get_by_role("button", name="Edit this message")).to_be_focused()
        for number, said in enumerate(("uno", "eins"), 2):
            await _edit(person, person.sayings.first, said)
            await expect(_versions(person.sayings.first)).to_have_text(f"{number}/{number}")
            await person.hears(said)
            await person.hears_the_end()
            await expect(person.replies).to_have_count(1)
        await _go(person.sayings.first, "Previous")
        await person.hears("uno")
        await _go(person.sayings.first, "Previous")
        await person.hears("two")
        await expect(person.sayings.locator(".said")).to_have_text(["one", "two"])


async def test_the_way_back_from_an_edit_leads_to_what_was_said_last(chromium: Browser, server: LiveServer) -> None:
    """Behind the newest of several replies; the focus stays at the message, although the reply has a switcher, too."""
    async with somebody(chromium, server.url) as person:
        await person.say("one")
        await person.hears_the_end()
        await person.replies.first.get_by_role("button", name="Regenerate this reply").click()
        await expect(_versions(person.replies.first)).to_have_text("2/2")
        await person.hears_the_end()
        await person.say("two")
        await expect(person.replies).to_have_count(2)
        await person.hears_the_end()
        await _edit(person, person.sayings.first, "uno")
        await expect(_versions(person.sayings.first)).to_have_text("2/2")
        await person.hears_the_end()
        await person.page.reload()
        await _go(person.sayings.first, "Previous")
        await expect(person.sayings).to_have_text(["one1/2", "two"])
        await expect(_versions(person.replies.first)).to_have_text("2/2")
        await expect(person.sayings.first.get_by_role("button", name="Next version")).to_be_focused()


async def test_a_reply_goes_on_while_another_branch_is_shown(chromium: Browser, server: LiveServer) -> None:
    """What is streamed and stopped is the branch that is shown. The other one is found as it is, also after reloads."""
    async with somebody(chromium, server.url) as person:
        await person.say(_SILENT)
        await person.hears("some words")
        await person.stop.click()
        await expect(person.note).to_have_text("Stopped.")
        await _edit(person, person.sayings.first, _SLOW)
        await person.hears("word3")
        await _go(person.sayings.first, "Previous")
        await expect(person.note).to_have_text("Stopped.")
        await expect(person.stop).to_be_hidden()
        await _go(person.sayings.first, "Next")
        await person.hears("word5")
        await expect(person.stop).to_be_visible()
        await person.page.reload()
        await expect(_versions(person.sayings.first)).to_have_text("2/2")
        await person.hears("word9")
        await person.stop.click()
        await expect(person.note).to_have_text("Stopped.")
        heard = await person.hears_the_end()
        assert _SLOW.partition("\n")[2].startswith(heard)


@pytest.mark.parametrize("text", ["/simulate nonsense\nhello", "/simulate status=503\nhello"])
async def test_a_branch_that_could_not_be_begun_leaves_the_old_one(
    text: str, chromium: Browser, server: LiveServer
) -> None:
    """A refused message is in the box again; one that failed is a branch that can be left."""
    async with somebody(chromium, server.url) as person:
        await person.say("hello")
        await person.hears_the_end()
        await _edit(person, person.sayings.first, text)
        await expect(person.reply.get_by_role("alert")).to_be_visible()
        if "nonsense" in text:
            await person.reply.get_by_role("button", name="Edit the message").click()
            await expect(person.message).to_have_value(text)
        else:
            await person.page.reload()
            await _go(person.sayings.first, "Previous")
        await person.hears("hello")
        await expect(person.sayings.locator(".said")).to_have_text(["hello"])


async def test_a_message_can_end_the_reply_of_another_branch(chromium: Browser, server: LiveServer) -> None:
    """One reply runs in a conversation: the page says so, and offers to stop it."""
    async with somebody(chromium, server.url) as person:
        await person.say("hello")
        await person.hears_the_end()
        await _edit(person, person.sayings.first, _SILENT)
        await person.hears("some words")
        await _go(person.sayings.first, "Previous")
        await person.hears("hello")
        await person.say("go on")
        await expect(person.reply.get_by_role("alert")).to_contain_text("A reply is running in this conversation.")
        await person.reply.get_by_role("button", name="Stop it and send this").click()
        assert await person.hears_the_end() == "go on"
        await person.page.reload()
        await expect(person.sayings.locator(".said")).to_have_text(["hello", "go on"])
        await _go(person.sayings.first, "Next")
        await expect(person.note).to_have_text("Stopped.")


@pytest.mark.parametrize("is_edit", [True, False], ids=["edited", "regenerated"])
async def test_without_a_key_the_old_branch_stays(is_edit: bool, chromium: Browser) -> None:  # noqa: FBT001 - a case
    """If the user does not enter one, they are asked once, and nothing is cut; an edited text is in its editor."""
    url = fresh_database_url("sqlite")
    key, _ = await made_key(url)
    with LiveServer(database_url=url) as server:
        async with somebody(chromium, server.url) as person:
            dialog = person.page.get_by_role("dialog")
            await person.page.get_by_label("Key or token").fill(key)
            await person.page.keyboard.press("Enter")
            for count, text in enumerate(("one", "two"), 1):
                await person.say(text)
                await expect(person.replies).to_have_count(count)
                await person.hears_the_end()
            await expect(person.conversations).to_have_count(1)
            await person.page.evaluate("sessionStorage.removeItem('chat.key')")
            if is_edit:
                await _edit(person, person.sayings.first, "uno")
            else:
                await person.replies.first.get_by_role("button", name="Regenerate this reply").click()
            await expect(dialog).to_be_visible()
            await dialog.get_by_role("button", name="Cancel").click()
            await expect(person.replies).to_have_count(2)
            await expect(dialog).to_be_hidden()
            await expect(person.replies.locator(".text")).to_have_text(["one", "two"])
            if is_edit:
                box = person.page.get_by_role("textbox", name="Edited message")
                await expect(box).to_have_value("uno")
                await expect(box).to_be_focused()
            else:
                await expect(person.sayings).to_have_text(["one", "two"])
                await expect(person.message).to_be_focused()


async def test_what_another_tab_begins_does_not_end_an_edit(chromium: Browser, server: LiveServer) -> None:
    """It is shown when the edit is left."""
    async with somebody(chromium, server.url) as person:
        await person.say("one")
        await person.hears_the_end()
        other = await person.another_tab()
        await other.hears("one")
        await other.sayings.first.get_by_role("button", name="Edit this message").click()
        box = other.page.get_by_role("textbox", name="Edited message")
        await box.fill("uno")
        async with other.page.expect_response("**/api/conversations"):
            await person.say("two")
        await expect(person.replies).to_have_count(2)
        await person.hears_the_end()
        await expect(box).to_have_value("uno")
        await box.press("Escape")
        await expect(other.replies.locator(".text")).to_have_text(["one", "two"])


async def _with_two_versions(person: Person) -> Person:
    """Say "one", and make it "uno". Returns another tab."""
    await person.say("one")
    await person.hears_the_end()
    await _edit(person, person.sayings.first, "uno")
    await expect(_versions(person.sayings.first)).to_have_text("2/2")
    await person.hears_the_end()
    return await person.another_tab()


async def test_what_another_tab_chooses_is_shown(chromium: Browser, server: LiveServer) -> None:
    """At once; while a message is edited or a reply is running, after that."""
    async with somebody(chromium, server.url) as person:
        other = await _with_two_versions(person)
        await _go(other.sayings.first, "Previous")
        await expect(_versions(person.sayings.first)).to_have_text("1/2")
        await person.hears("one")
        await person.sayings.first.hover()
        await person.sayings.first.get_by_role("button", name="Edit this message").click()
        box = person.page.get_by_role("textbox", name="Edited message")
        await box.fill("eins")
        async with person.page.expect_response("**/api/conversations"):
            await _go(other.sayings.first, "Next")
        await expect(_versions(other.sayings.first)).to_have_text("2/2")
        await expect(box).to_have_value("eins")
        await box.press("Escape")
        await expect(_versions(person.sayings.first)).to_have_text("2/2")
        await person.say(_SILENT)
        await other.hears("some words")
        await _go(other.sayings.first, "Previous")
        await expect(_versions(other.sayings.first)).to_have_text("1/2")
        await expect(_versions(person.sayings.first)).to_have_text("2/2")
        await person.stop.click()
        await expect(_versions(person.sayings.first)).to_have_text("1/2")
        await expect(person.replies.locator(".text")).to_have_text(["one"])


async def test_a_choice_is_shown_also_if_another_tab_says_something_meanwhile(
    chromium: Browser, server: LiveServer
) -> None:
    """The conversation is shown anew before the choice has arrived, and once more when it has."""
    let_go = asyncio.Event()

    async def hold(route: Route) -> None:
        if route.request.method == "PATCH":
            await let_go.wait()
        await route.continue_()

    async with somebody(chromium, server.url) as person:
        other = await _with_two_versions(person)
        await other.page.route("**/api/conversations/*", hold)
        await _go(other.sayings.first, "Previous")
        await person.say("due")
        await expect(other.sayings).to_have_count(2)
        await other.hears_the_end()
        await expect(other.stop).to_be_hidden()
        let_go.set()
        for tab in (person, other):
            await expect(_versions(tab.sayings.first)).to_have_text("1/2")
            await expect(tab.replies.locator(".text")).to_have_text(["one"])


_SHOWN = """() => [...document.querySelectorAll(".message")].map((turn) => [
    turn.querySelector(".said, .text").textContent, turn.querySelector(".branches span").textContent])"""
_STORED = """async (id) => (await (await fetch(`api/conversations/${id}?limit=100`)).json()).messages.map(
    ({ text, branches }) => [text, branches ? `${branches.index + 1}/${branches.reply_ids.length}` : ""])"""


@pytest.mark.parametrize("seed", range(2))
async def test_the_page_shows_the_chosen_branch(seed: int, chromium: Browser, server: LiveServer) -> None:
    """Whatever people do in whatever order: the messages and places that the server has, also after a reload."""
    chance = Random(seed)  # noqa: S311 - for variety
    async with somebody(chromium, server.url) as person:
        await person.say("0")
        for number in range(1, 13):
            await person.hears_the_end()
            turn = chance.choice(await person.page.locator(".message").all())
            steps = await turn.locator(".branches button:not([disabled])").all()
            if steps and chance.random() < 0.6:
                async with person.page.expect_response("**/api/conversations/*?*"):
                    await chance.choice(steps).click()
            elif await turn.get_by_role("button", name="Regenerate this reply").count():
                async with person.page.expect_response("**/api/chat"):
                    await turn.get_by_role("button", name="Regenerate this reply").click()
            elif chance.random() < 0.5:
                async with person.page.expect_response("**/api/chat"):
                    await _edit(person, turn, str(number))
            else:
                async with person.page.expect_response("**/api/chat"):
                    await person.say(str(number))
        await person.hears_the_end()
        stored = await person.page.evaluate(_STORED, await person.conversation_id())
        assert await person.page.evaluate(_SHOWN) == stored
        await person.page.reload()
        await expect(person.page.locator(".message")).to_have_count(len(stored))
        await person.hears_the_end()
        assert await person.page.evaluate(_SHOWN) == stored


_MANY = """async () => {
    const ask = async (body) => (await fetch("api/replies", {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) })).json();
    const { conversation_id } = await ask({ user_message: "first" });
    const tall = await ask({ user_message: "line\\n".repeat(40), conversation_id });
    for (let n = 3; n <= 24; n += 1) await ask({ user_message: `message ${n}`, conversation_id });
    await ask({ regenerates: tall.reply_id, conversation_id });
    return conversation_id;
}"""


_TEN_FRAMES = "(async () => { for (let n = 0; n < 10; n += 1) await new Promise(requestAnimationFrame); })()"
"""Until then, the heights of messages that were never in view are estimates."""


async def test_the_switcher_stays_where_it_is(chromium: Browser, server: LiveServer) -> None:
    """Also if the other branch is longer than what is loaded at once: then earlier messages are loaded up to there."""
    async with somebody(chromium, server.url) as person:
        conversation_id = await person.page.evaluate(_MANY)
        await person.page.goto(f"{server.url}/#{conversation_id}")
        back = person.replies.nth(1).get_by_role("button", name="Previous version")
        place = await back.bounding_box()
        await back.click()
        await expect(person.sayings).to_have_count(24)
        on = person.replies.nth(1).get_by_role("button", name="Next version")
        await expect(on).to_be_focused()
        await person.page.evaluate(_TEN_FRAMES)
        moved = await on.bounding_box()
        assert place is not None
        assert moved is not None
        assert abs(moved["y"] - place["y"]) <= 1
