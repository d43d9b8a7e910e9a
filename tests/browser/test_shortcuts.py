"""Keyboard shortcuts of the chat page: what they do, and when they do nothing."""

from playwright.async_api import Browser, expect

from tests.browser.people import Person, somebody
from tests.support.browser import until, visitor
from tests.support.server import LiveServer

_PRESS = """(options) => document.querySelector("#message").dispatchEvent(
    new KeyboardEvent("keydown", { bubbles: true, cancelable: true, altKey: true, shiftKey: true, ...options }))"""
"""A key with Alt and Shift, as a browser reports it. Returns whether it is left to the browser."""


async def test_keys_do_what_buttons_do(chromium: Browser, server: LiveServer) -> None:
    """Wherever the focus is; and what was copied is announced."""
    async with somebody(chromium, server.url) as person:
        page, keys = person.page, person.page.keyboard
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await person.say("Words and\n```\ncode\n```")
        await person.hears_the_end()
        await keys.press("Alt+Shift+X")
        await expect(page.locator("#announcer")).to_have_text("Copied")
        assert await page.evaluate("navigator.clipboard.readText()") == "code"
        await keys.press("Alt+Shift+C")
        await keys.press("Alt+Shift+C")
        await until(page, "navigator.clipboard.readText().then((text) => text.startsWith('Words'))")
        assert await page.evaluate("navigator.clipboard.readText()") == "Words and\n```\ncode\n```"
        await expect(person.reply.get_by_role("button", name="Copy this reply")).to_have_text("Copy")
        await keys.press("Alt+Shift+O")
        await expect(page.locator("#title")).to_have_text("New chat")
        await keys.type("second")  # into the message box
        await keys.press("Enter")
        await person.hears_the_end()
        await expect(person.conversations.first).to_have_attribute("aria-current", "page")
        await keys.press("Alt+Shift+D")
        await expect(page.locator("#title")).to_have_text("Words and code")
        await keys.press("Alt+Shift+U")
        await expect(page.locator("#title")).to_have_text("second")
        await keys.press("Alt+Shift+S")
        await expect(page.get_by_role("searchbox")).to_be_focused()
        await keys.press("Alt+Shift+M")
        await expect(person.message).to_be_focused()


async def test_all_of_them_are_listed(chromium: Browser, server: LiveServer) -> None:
    """In a dialog that a key and a button open; while it is open, no other shortcut does anything."""
    async with somebody(chromium, server.url) as person:
        await person.page.keyboard.press("Alt+Shift+H")
        dialog = person.page.get_by_role("dialog", name="Keyboard shortcuts")
        await expect(dialog.locator("div", has_text="New chat").locator("dd")).to_have_text("Alt+Shift+O")
        await expect(dialog.locator("dt")).to_have_count(11)
        await person.page.keyboard.press("Alt+Shift+S")
        await expect(dialog).to_be_visible()
        await person.page.keyboard.press("Escape")
        await expect(dialog).to_be_hidden()
        await expect(person.message).to_be_focused()
        await person.page.get_by_role("button", name="Keyboard shortcuts").click()
        await dialog.get_by_role("button", name="Close").click()
        await expect(dialog).to_be_hidden()


_OURS: dict[str, dict[str, object]] = {
    "usual": {"key": "H", "code": "KeyH"},
    "another arrangement of the keys": {"key": "H", "code": "KeyJ"},
    "another script": {"key": "\u0627", "code": "KeyH"},
}
_NOT_OURS: dict[str, dict[str, object]] = {
    "composing": {"key": "H", "code": "KeyH", "isComposing": True},
    "an input method's": {"key": "Process", "code": "KeyH", "keyCode": 229},
    "writes a character": {"key": "H", "code": "KeyH", "modifierAltGraph": True},
    "with Ctrl": {"key": "H", "code": "KeyH", "ctrlKey": True},
    "with the system's key": {"key": "H", "code": "KeyH", "metaKey": True},
    "without Shift": {"key": "h", "code": "KeyH", "shiftKey": False},
    "another letter": {"key": "Q", "code": "KeyQ"},
}


async def test_a_key_is_taken_only_if_it_is_nobody_elses(chromium: Browser, server: LiveServer) -> None:
    """Not from input methods, nor from what writes characters; on keyboards of other scripts, its place counts."""
    async with somebody(chromium, server.url) as person:
        dialog = person.page.get_by_role("dialog")
        for kind, options in _NOT_OURS.items():
            assert await person.page.evaluate(_PRESS, options), kind
            await expect(dialog).to_be_hidden()
        for kind, options in _OURS.items():
            assert not await person.page.evaluate(_PRESS, options), kind
            await dialog.get_by_role("button", name="Close").click()


async def test_a_mac_has_its_own_modifiers(chromium: Browser, server: LiveServer) -> None:
    """Option writes characters there."""
    async with visitor(chromium) as page:
        await page.add_init_script("Object.defineProperty(navigator, 'platform', { get: () => 'MacIntel' })")
        await page.goto(f"{server.url}/")
        person = Person(page)
        await person.message.press("Alt+Shift+H")
        await expect(page.get_by_role("dialog")).to_be_hidden()
        await person.message.press("Control+Shift+H")
        await expect(page.get_by_role("dialog")).to_contain_text("Control+Shift+O")
