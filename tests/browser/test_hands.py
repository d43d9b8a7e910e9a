"""The chat page in users' hands: input methods, scrolling, links and long texts behave as intended."""

from typing import Any

import pytest
from playwright.async_api import Browser, CDPSession, expect

from tests.browser.people import Person, somebody
from tests.support.server import LiveServer

_INPUT_METHOD = {"windowsVirtualKeyCode": 229}
"""The code of every key that an input method handles."""


async def _press(keys: CDPSession, name: str, **options: Any) -> None:  # noqa: ANN401 - the protocol's, passed on
    for kind in ("rawKeyDown", "keyUp"):
        await keys.send("Input.dispatchKeyEvent", {"type": kind, "key": name, "code": name, **options})


async def test_enter_that_chooses_a_word_sends_nothing(chromium: Browser, server: LiveServer) -> None:
    """Users of input methods press it for each word; some browsers signal that only by the key code."""
    async with somebody(chromium, server.url) as person:
        keys = await person.page.context.new_cdp_session(person.page)
        await keys.send("Input.imeSetComposition", {"text": "にほん", "selectionStart": 3, "selectionEnd": 3})
        await _press(keys, "Enter", **_INPUT_METHOD)
        await keys.send("Input.insertText", {"text": "日本"})
        await _press(keys, "Enter", **_INPUT_METHOD)
        await expect(person.message).to_have_value("日本")
        await expect(person.replies).to_have_count(0)
        await person.page.keyboard.press("Enter")
        assert await person.hears_the_end() == "日本"
        await expect(person.replies).to_have_count(1)


async def test_escape_that_ends_a_composition_stops_nothing(chromium: Browser, server: LiveServer) -> None:
    """Only the next press stops the reply."""
    async with somebody(chromium, server.url) as person:
        await person.say("/simulate stall_after=3\nsome words that stay unsaid")
        await person.hears("some words")
        keys = await person.page.context.new_cdp_session(person.page)
        await keys.send("Input.imeSetComposition", {"text": "にほん", "selectionStart": 3, "selectionEnd": 3})
        await _press(keys, "Escape", **_INPUT_METHOD)
        await keys.send("Input.insertText", {"text": "日本"})
        await expect(person.reply).to_have_attribute("aria-busy", "true")
        async with person.page.expect_request("**/cancel"):
            await person.page.keyboard.press("Escape")
        await expect(person.note).to_have_text("Stopped.")


async def _wheel(person: Person) -> None:
    await person.scroller.hover()
    await person.page.mouse.wheel(0, -10)


async def _arrow(person: Person) -> None:
    await person.scroller.focus()
    await person.page.keyboard.press("ArrowUp")


_STILL = """async (scroller) => {
    for (let top = -1, frames = 0; frames < 10; ) {
        await new Promise(requestAnimationFrame);
        frames = scroller.scrollTop === top ? frames + 1 : 0;
        top = scroller.scrollTop;
    }
}"""
"""Resolves when nothing has moved for ten frames: browsers scroll smoothly."""


@pytest.mark.parametrize("how", [_wheel, _arrow], ids=["wheel", "arrow"])
async def test_any_move_up_ends_following(how: Any, chromium: Browser, server: LiveServer) -> None:  # noqa: ANN401 - two
    """Even slightly: new words do not move what is being read. Scrolling to the end resumes following."""
    async with somebody(chromium, server.url) as person:
        await person.say("/simulate pace_ms=5 stall_after=400\n" + "A line of words that is read.\n\n" * 80)
        await expect(person.text.locator("p").nth(20)).to_be_attached()
        await how(person)
        latest = person.page.get_by_role("button", name="Latest")
        await expect(latest).to_be_visible()
        await person.scroller.evaluate(_STILL)
        seen = person.text.locator("p").nth(10)
        place = await seen.bounding_box()
        await expect(person.text.locator("p").nth(56)).to_be_attached()
        assert await seen.bounding_box() == place
        await person.scroller.evaluate("(scroller) => (scroller.scrollTop = scroller.scrollHeight)")
        await expect(latest).to_be_hidden()
        await person.stop.click()
        await person.hears_the_end()


async def test_a_link_to_a_part_of_the_page_opens_nothing(chromium: Browser, server: LiveServer) -> None:
    """Nor does a nonexistent part: the conversation stays open, also in the URL, and Back leaves it."""
    async with somebody(chromium, server.url) as person:
        await person.say("hello")
        await person.hears_the_end()
        conversation_id = await person.conversation_id()
        await person.page.get_by_role("link", name="Skip to the message box").focus()
        await person.page.keyboard.press("Enter")
        await expect(person.message).to_be_focused()
        assert await person.conversation_id() == conversation_id
        await person.page.evaluate("location.hash = 'elsewhere'")
        assert await person.conversation_id() == conversation_id
        await expect(person.replies).to_have_count(1)
        await person.page.go_back()
        await expect(person.replies).to_have_count(1)
        await person.page.go_back()
        await expect(person.replies).to_have_count(0)


async def test_a_text_that_is_too_long_is_kept_and_not_sent(chromium: Browser, server: LiveServer) -> None:
    """It is counted like in the contract, and can be sent once it is short enough."""
    async with somebody(chromium, server.url) as person:
        text = "🙂" * 16_001
        await person.message.fill(text)
        await expect(person.page.get_by_role("alert")).to_contain_text("16,001 of 16,000 characters")
        await person.page.keyboard.press("Enter")
        await person.page.reload()
        await expect(person.message).to_have_value(text)
        await expect(person.page.get_by_role("button", name="Send")).to_be_disabled()
        await person.page.keyboard.press("End")
        await person.page.keyboard.press("Backspace")
        await expect(person.page.get_by_role("alert")).to_be_hidden()
        await person.page.keyboard.press("Enter")
        await person.hears_the_end()
        await expect(person.replies).to_have_count(1)
