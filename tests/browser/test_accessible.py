"""The chat page for everybody: with a screen reader, without a mouse, and without layout shifts."""

import pytest
from playwright.async_api import Browser, expect

from tests.browser.people import PHONE, Person, somebody
from tests.support import node
from tests.support.server import LiveServer

_MARKDOWN = """# A heading

Text with **bold**, `code` and a [link](https://example.org).

- one
- two

| a | b |
|---|---|
| 1 | 2 |

```py
print("x")
```

> quoted"""

_LOOK = "axe.run({ resultTypes: ['violations'] }).then((found) => found.violations.map((v) => [v.id, v.nodes[0].html]))"


async def _flaws(person: Person) -> list[object]:
    """All problems that axe finds."""
    if not await person.page.evaluate("'axe' in window"):
        await person.page.evaluate((node.packages() / "axe-core" / "axe.min.js").read_text("utf-8"))
    found: list[object] = await person.page.evaluate(_LOOK)
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", ["desktop", "phone"])
async def test_a_checker_finds_nothing(scheme: str, screen: str, chromium: Browser, server: LiveServer) -> None:
    """When empty, during a reply, at its end, after a failure, and with an open dialog."""
    options = PHONE if screen == "phone" else {}
    async with somebody(chromium, server.url, color_scheme=scheme, reduced_motion="reduce", **options) as person:
        assert await _flaws(person) == []
        await person.say(_MARKDOWN)
        await person.hears_the_end()
        await person.reply.get_by_role("button", name="Good reply").click()
        await person.reply.get_by_role("button", name="Details of this reply").click()
        await person.page.get_by_role("button", name="More about this conversation").click()
        assert await _flaws(person) == []
        await person.page.keyboard.press("Escape")
        await person.reply.get_by_role("button", name="Regenerate this reply").click()
        await expect(person.reply.get_by_role("group", name="Version 2 of 2")).to_be_visible()
        await person.hears_the_end()
        await person.say("/simulate stall_after=3\nsome words that stay unsaid")
        await person.hears("some words")
        assert await _flaws(person) == []
        await person.stop.click()
        await person.hears_the_end()
        await person.say("/simulate status=503\nhello")
        await expect(person.reply.get_by_role("alert")).to_be_visible()
        assert await _flaws(person) == []
        if screen == "phone":
            await person.page.get_by_role("button", name="Open the list of conversations").click()
            assert await _flaws(person) == []
        await person.page.get_by_role("searchbox").fill("quoted")
        await expect(person.page.locator("#conversations .excerpt mark").first).to_have_text("quoted")
        assert await _flaws(person) == []
        await person.page.get_by_role("searchbox").fill("zebras")
        await expect(person.page.get_by_text("No conversation has these words.")).to_be_visible()
        assert await _flaws(person) == []
        await person.page.get_by_role("searchbox").fill("")
        await person.page.get_by_role("button", name="Delete “").first.click()
        assert await _flaws(person) == []
        await person.page.keyboard.press("Escape")
        await person.page.keyboard.press("Alt+Shift+H")
        await expect(person.page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
        assert await _flaws(person) == []
        await person.page.keyboard.press("Escape")
        await person.page.locator("#settings").evaluate("(button) => button.click()")  # on a phone, the list covers it
        await expect(person.page.get_by_role("dialog", name="Settings")).to_be_visible()
        assert await _flaws(person) == []


async def test_everything_can_be_reached_with_the_keyboard(chromium: Browser, server: LiveServer) -> None:
    """In visual order; the first stop leads to the message box."""
    async with somebody(chromium, server.url) as person:
        await person.say("Words and\n\n```\ncode\n```")
        await person.hears_the_end()
        await person.page.locator("a").first.focus()
        reached = ["Skip to the message box"]
        name = "(e => e.getAttribute('aria-label') ?? e.textContent.trim())(document.activeElement)"
        while len(reached) < 60:
            await person.page.keyboard.press("Tab")
            reached.append(await person.page.evaluate(name))
            if reached[-1] == "Send":
                break
        wanted = [
            "Skip to the message box",
            "New chat",
            "API",
            "Use dark colours",
            "Copy this reply",
            "Message",
            "Send",
        ]
        assert [name for name in reached if name in wanted] == wanted
        assert any(name.startswith("Words and") for name in reached)
        assert any(name.startswith("Delete “Words and") for name in reached)


async def test_a_screen_reader_hears_a_reply_when_it_is_complete(chromium: Browser, server: LiveServer) -> None:
    """Not word by word; and that it has ended."""
    async with somebody(chromium, server.url) as person:
        await person.say("/simulate stall_after=3\nsome words that stay unsaid")
        await person.hears("some words")
        await expect(person.page.get_by_role("log")).to_be_visible()
        await expect(person.reply).to_have_attribute("aria-busy", "true")
        await person.stop.click()
        await expect(person.reply).to_have_attribute("aria-busy", "false")
        await expect(person.page.locator("#announcer")).to_have_text("Stopped.")


_SHIFTS = """() => new Promise((resolve) => {
    const found = [];
    new PerformanceObserver((list) => {
        for (const { value, sources } of list.getEntries())
            found.push([value, ...sources.map(({ node }) => node?.id || node?.className)]);
    }).observe({ type: "layout-shift", buffered: true });
    setTimeout(() => resolve(found), 500);
})"""


@pytest.mark.parametrize("screen", ["desktop", "phone"])
async def test_nothing_jumps_when_the_page_is_opened(screen: str, chromium: Browser, server: LiveServer) -> None:
    """Who answers, what is listed and what was said come one after the other, and take the room that they have."""
    async with somebody(chromium, server.url, **(PHONE if screen == "phone" else {})) as person:
        await person.say(_MARKDOWN)
        await person.hears_the_end()
        await person.reply.get_by_role("button", name="Regenerate this reply").click()
        await expect(person.reply.get_by_role("group", name="Version 2 of 2")).to_be_visible()
        await person.hears_the_end()
        await person.page.reload()
        await expect(person.reply.get_by_role("group", name="Version 2 of 2")).to_be_visible()
        await expect(person.page.locator("#who")).to_have_text("Chat · simulator")
        assert await person.page.evaluate(_SHIFTS) == []


async def test_nothing_jumps(chromium: Browser, server: LiveServer) -> None:
    """The text being read stays in place while more arrives, and does not move for users who have scrolled up."""
    async with somebody(chromium, server.url) as person:
        await person.message.fill("/simulate pace_ms=5\n" + "A line of words that is read.\n\n" * 60)
        await person.page.evaluate("""() => {
            window.shifts = [];
            new PerformanceObserver((list) => {
                for (const { value, hadRecentInput, sources } of list.getEntries())
                    if (!hadRecentInput) window.shifts.push([value, ...sources.map(({ node }) => node?.className)]);
            }).observe({ type: "layout-shift", buffered: false });
        }""")
        await person.page.get_by_role("button", name="Send").click()
        await expect(person.text.locator("p").nth(20)).to_be_attached()
        await person.page.locator("#scroller").evaluate("(scroller) => (scroller.scrollTop = 40)")
        place = await person.text.locator("p").first.bounding_box()
        await expect(person.page.get_by_role("button", name="Latest")).to_be_visible()
        await person.hears_the_end()
        assert await person.text.locator("p").first.bounding_box() == place
        assert await person.page.evaluate("window.shifts") == []
        await person.page.get_by_role("button", name="Latest").click()
        await expect(person.text.locator("p").last).to_be_in_viewport()
