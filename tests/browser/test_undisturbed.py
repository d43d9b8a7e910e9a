"""What a user does on the chat page is not undone by what arrives: places, selections, focus."""

import asyncio
import re

import pytest
from playwright.async_api import Browser, Route, expect

from tests.browser.people import FILL, somebody
from tests.support.server import LiveServer


async def test_a_new_message_keeps_the_list_as_it_is(chromium: Browser) -> None:
    """What was shown with "Show more" stays, each conversation once, and so does the focus."""
    with LiveServer() as server:
        async with somebody(chromium, server.url) as person:
            await person.page.evaluate(FILL, 25)
            await person.page.reload()
            await person.page.get_by_role("button", name="Show more").click()
            await expect(person.conversations).to_have_count(25)
            await person.say("/simulate pace_ms=300\none two three four")
            focused = person.conversations.filter(has_text="number 2").last
            await focused.focus()
            await expect(person.conversations).to_have_count(26)
            await person.hears_the_end()
            await expect(person.conversations).to_have_count(26)
            await expect(focused).to_be_focused()
            await expect(person.page.get_by_role("button", name="Show more")).to_be_hidden()


_GROW = """async ([first, parts, act]) => {
    const { GrowingText } = await import("/page/markdown.js");
    const root = document.createElement("div");
    root.className = "text";
    root.style.width = "200px";
    document.querySelector("#log").replaceChildren(root);
    const text = (window.grown = new GrowingText(root));
    text.append(first);
    if (act === "select") getSelection().selectAllChildren(root.querySelector("p"));
    else root.querySelector(".wide-content, pre").scrollLeft = 50;
    const selected = String(getSelection());
    for (const part of parts) text.append(part);
    const place = root.querySelector(".wide-content, pre")?.scrollLeft;
    const kept = act === "select" ? String(getSelection()) === selected : place;
    text.finish();
    return [kept, String(getSelection()) === selected];
}"""


async def test_a_selection_in_a_growing_block_is_kept(chromium: Browser, server: LiveServer) -> None:
    """Until the user ends it; then the block is formatted."""
    async with somebody(chromium, server.url) as person:
        parts = [" and", " **more", " words**"]
        assert await person.page.evaluate(_GROW, ["some words", parts, "select"]) == [True, True]
        paragraph = person.page.locator(".text p")
        await expect(paragraph).to_have_text("some words and **more words**")
        await person.page.evaluate("getSelection().removeAllRanges()")
        await expect(paragraph.locator("strong")).to_have_text("more words")
        await expect(paragraph).to_have_text("some words and more words")


async def test_a_growing_block_stays_where_it_was_scrolled_to(chromium: Browser, server: LiveServer) -> None:
    """Sideways: a table, and code."""
    async with somebody(chromium, server.url) as person:
        wide = "w" * 100
        for first, part in (
            (f"| {wide} | b |\n|---|---|\n| c | d |\n", "| e | f |\n"),
            (f"```\n{wide}\n", "more\n"),
        ):
            kept, _ = await person.page.evaluate(_GROW, [first, [part, part], "scroll"])
            assert kept == 50


async def test_an_older_reply_is_tried_again_when_no_other_is_running(chromium: Browser, server: LiveServer) -> None:
    """Meanwhile the button stays, and says what to wait for."""
    async with somebody(chromium, server.url) as person:
        stalling = "/simulate stall_after=3\nsome words that stay unsaid"
        await person.say(stalling)
        await person.hears("some words")
        await person.stop.click()
        await expect(person.note).to_have_text("Stopped.")
        await person.say(stalling)
        await person.hears("some words")
        again = person.replies.first.locator("button", has=person.page.locator("use[href='#icon-again']"))
        await again.click()
        await expect(again).to_contain_text("Wait until the current reply is complete")
        await person.stop.click()
        await person.hears_the_end()
        await expect(again).to_have_text("Try again", timeout=15_000)
        await again.click()
        await expect(person.replies).to_have_count(1)  # on a branch of its own
        await expect(person.reply.get_by_role("group", name="Version 2 of 2")).to_be_visible()
        await person.stop.click()
        await person.hears_the_end()


async def test_what_cannot_be_sent_yet_says_so(chromium: Browser, server: LiveServer) -> None:
    """While another reply runs: a reply that would be regenerated, and an edited message, which is kept."""
    async with somebody(chromium, server.url) as person:
        await person.say("hello")
        await person.hears_the_end()
        await person.say("/simulate stall_after=3\nsome words that stay unsaid")
        await person.hears("some words")
        await person.replies.first.get_by_role("button", name="Regenerate this reply").click()
        await expect(person.replies.first).to_contain_text("Wait until the current reply is complete")
        await person.sayings.first.get_by_role("button", name="Edit this message").click()
        box = person.page.get_by_role("textbox", name="Edited message")
        await box.fill("other words")
        await box.press("Enter")
        await expect(person.sayings.first.get_by_role("alert")).to_contain_text(
            "Wait until the current reply is complete"
        )
        await expect(box).to_have_value("other words")
        await person.stop.click()
        await expect(person.note).to_have_text("Stopped.")
        await box.press("Enter")
        await expect(person.sayings).to_have_text(["other words2/2"])
        assert await person.hears_the_end() == "other words"


async def test_nothing_is_sent_to_a_conversation_before_it_is_shown(chromium: Browser, server: LiveServer) -> None:
    """The message stays in the box; sent once it is shown, it is there once, and so is each word of its reply."""
    async with somebody(chromium, server.url) as person:
        await person.say("hello")
        await person.hears_the_end()
        holding = asyncio.Event()

        async def hold(route: Route) -> None:
            await holding.wait()
            await route.continue_()

        await person.page.route(re.compile("/api/conversations/[0-9a-f]{32}"), hold)
        await person.page.reload()
        await person.say("/simulate pace_ms=20\none two three")
        await expect(person.page.get_by_role("alert")).to_contain_text("The conversation is still loading.")
        await expect(person.message).to_have_value("/simulate pace_ms=20\none two three")
        holding.set()
        await person.hears("hello")
        await person.page.get_by_role("button", name="Send").click()
        await expect(person.replies).to_have_count(2)
        assert await person.hears_the_end() == "one two three"
        await expect(person.sayings).to_have_count(2)


_SIGN = "(tools) => [getComputedStyle(tools, '::before').content, getComputedStyle(tools, '::before').animationName]"


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
async def test_a_pause_in_a_reply_shows_that_it_goes_on(motion: str, chromium: Browser, server: LiveServer) -> None:
    """After a while without a word, in room that is there already; it is drawn only, so nothing is announced."""
    async with somebody(chromium, server.url, reduced_motion=motion) as person:
        await person.say("/simulate stall_after=3\nsome words that stay unsaid")
        await person.hears("some words")
        tools = person.reply.locator(".tools")
        await expect(person.reply).to_have_class(re.compile(r"\bpausing\b"))
        assert await tools.evaluate(_SIGN) == ['""', "breathe" if motion == "no-preference" else "none"]
        place = await person.reply.bounding_box()
        await person.reply.evaluate("(reply) => reply.classList.remove('pausing')")
        assert await tools.evaluate(_SIGN) == ["none", "none"]
        assert await person.reply.bounding_box() == place
        await expect(person.page.locator("#announcer")).to_be_empty()
        await person.stop.click()
        await person.hears_the_end()
        assert await tools.evaluate(_SIGN) == ["none", "none"]
