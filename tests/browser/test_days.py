"""The chat page names days: between messages, and in the list of conversations."""

from datetime import UTC, datetime, timedelta

from playwright.async_api import Browser, expect

from tests.browser.people import somebody
from tests.support.server import LiveServer


async def test_messages_are_under_their_days(chromium: Browser, server: LiveServer) -> None:
    """Today, yesterday, or the date; each day once, and none without a message."""
    now = datetime.now(UTC)
    async with somebody(chromium, server.url, timezone_id="UTC") as person:
        page, days = person.page, person.page.locator("#log > .day")
        await page.clock.set_fixed_time(now)
        await person.say("one")
        await person.hears_the_end()
        await person.say("two")
        await expect(person.replies).to_have_count(2)
        await person.hears_the_end()
        await expect(days).to_have_text(["Today"])
        await page.clock.set_fixed_time(now + timedelta(days=1))
        await page.reload()
        await expect(days).to_have_text(["Yesterday"])
        await person.say("three")
        await expect(days).to_have_text(["Yesterday", "Today"])
        await person.hears_the_end()
        await person.sayings.first.get_by_role("button", name="Edit this message").click()
        box = page.get_by_role("textbox", name="Edited message")
        await box.fill("another one")
        await box.press("Enter")
        await expect(person.sayings).to_have_count(1)
        await expect(days).to_have_text(["Today"])
        await person.hears_the_end()
        later = now + timedelta(days=400)
        await page.clock.set_fixed_time(later)
        await page.reload()
        await expect(days).to_have_text([f"{now:%A, %B} {now.day}, {now.year}"])
        await page.get_by_role("button", name="New chat").click()
        await expect(days).to_have_count(0)
        await expect(page.locator("#welcome")).to_be_visible()


async def test_the_list_is_in_days_and_months(chromium: Browser) -> None:
    """In the language of the page; what was found is in another order, and has none."""
    now = datetime.now(UTC)
    with LiveServer() as server:
        async with somebody(chromium, server.url, timezone_id="UTC") as person:
            page, days = person.page, person.page.locator("#conversations .day")
            await page.clock.set_fixed_time(now)
            for text in ("about apples", "about pears"):
                await page.get_by_role("button", name="New chat").click()
                await person.say(text)
                await person.hears_the_end()
            await expect(person.conversations).to_have_count(2)
            await expect(days).to_have_text(["Today"])
            await page.get_by_role("button", name="Delete “about pears”").click()
            await page.get_by_role("button", name="Delete", exact=True).click()
            await expect(person.conversations).to_have_count(1)
            await expect(days).to_have_text(["Today"])
            await page.get_by_role("searchbox").fill("apples")
            await expect(days).to_have_count(0)
            await page.clock.set_fixed_time(now + timedelta(days=400))
            await page.reload()
            await expect(days).to_have_text([f"{now:%B %Y}"])
        async with somebody(chromium, server.url, timezone_id="UTC", locale="ar") as person:
            await person.page.clock.set_fixed_time(now + timedelta(days=1))
            await person.page.reload()
            await expect(person.page.locator("#conversations .day")).to_have_text(["أمس"])
