"""A user's actions on the chat page, and what is visible."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, Locator, Page, expect

from tests.support.browser import visitor

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}

FILL = """async (count) => {
    for (let n = 0; n < count; n += 1) await fetch("api/replies", {
        method: "POST", headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ user_message: `number ${n}` }) });
}"""
"""Begins this number of conversations, each with one message."""


class Person:
    """A user of the page."""

    def __init__(self, page: Page) -> None:
        """Starts with an open page."""
        self.page = page
        self.message = page.get_by_role("textbox", name="Message")
        self.stop = page.get_by_role("button", name="Stop the reply")
        self.earlier = page.get_by_role("button", name="Show earlier messages")
        self.scroller = page.locator("#scroller")
        self.replies = page.locator(".message.reply")
        self.sayings = page.locator(".message.user")
        self.conversations = page.locator("#conversations a")

    @property
    def note(self) -> Locator:
        """The note below the latest reply."""
        return self.reply.locator(".note")

    @property
    def reply(self) -> Locator:
        """The latest reply."""
        return self.replies.last

    @property
    def text(self) -> Locator:
        """Its visible text."""
        return self.reply.locator(".text")

    async def another_tab(self) -> "Person":
        """The same conversation in another tab."""
        other = Person(await self.page.context.new_page())
        await other.page.goto(self.page.url)
        return other

    async def say(self, text: str) -> None:
        """Type a message and send it."""
        await self.message.fill(text)
        await self.page.get_by_role("button", name="Send").click()

    async def hears_the_end(self) -> str:
        """Wait until the latest reply has ended. Returns its visible text."""
        await expect(self.reply).to_have_attribute("aria-busy", "false")
        return await self.text.inner_text()

    async def sees_it_all(self) -> None:
        """Scroll up until there are no earlier messages."""
        await expect(self.sayings.first).to_be_attached()
        while await self.earlier.is_visible():
            count = await self.sayings.count()
            await self.scroller.evaluate("(scroller) => (scroller.scrollTop = 0)")
            await expect(self.sayings.nth(count)).to_be_attached()

    async def hears(self, text: str) -> None:
        """Wait until the latest reply contains this text."""
        await expect(self.text).to_contain_text(text)

    async def copied(self) -> str:
        """What the button copies for the latest reply: the bot's original text."""
        await self.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await self.reply.get_by_role("button", name="Copy this reply").click()
        await expect(self.reply.get_by_role("button", name="Copy this reply")).to_have_text("Copied")
        copied: str = await self.page.evaluate("navigator.clipboard.readText()")
        return copied

    async def conversation_id(self) -> str:
        """The id of the open conversation."""
        await expect(self.page).to_have_url(re.compile("#[0-9a-f]{32}$"))
        return self.page.url.rpartition("#")[2]


@asynccontextmanager
async def somebody(browser: Browser, url: str, **options: Any) -> AsyncIterator[Person]:  # noqa: ANN401 - see `visitor`
    """A user on their first visit."""
    async with visitor(browser, **options) as page:
        await page.goto(f"{url}/")
        yield Person(page)


async def talks_in_arabic(person: Person) -> None:
    """The page is in that language, and from right to left."""
    await person.page.get_by_role("textbox", name="الرسالة").fill("hello")
    await person.page.get_by_role("button", name="إرسال").click()
    assert await person.hears_the_end() == "hello"
    sidebar, main = [
        await person.page.locator(part).evaluate("(part) => part.getBoundingClientRect().x")
        for part in ("#sidebar", "main")
    ]
    assert sidebar > main
    assert await person.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
