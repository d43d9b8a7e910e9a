"""The settings sheet of the chat page."""

from playwright.async_api import Browser, expect

from tests.browser.people import somebody
from tests.support.server import LiveServer


async def test_settings_are_kept(chromium: Browser, server: LiveServer) -> None:
    """Colours, language, and whether replies show their details: at once, and on the next visit."""
    async with somebody(chromium, server.url, color_scheme="light") as person:
        page = person.page
        await person.say("hello there")
        await person.hears_the_end()
        await person.message.fill("a draft")
        await page.get_by_role("button", name="Settings").click()
        dialog = page.get_by_role("dialog", name="Settings")
        await dialog.get_by_label("Show the details of each reply").check()
        await expect(person.reply.locator(".details")).to_contain_text("Words: 2")
        await dialog.get_by_label("Colours").select_option("Dark")
        await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        await dialog.get_by_label("Language").select_option("العربية")
        await expect(page.locator("html")).to_have_attribute("dir", "rtl")
        await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        await expect(person.reply.locator(".details")).to_be_visible()
        await expect(page.locator("#message")).to_have_value("a draft")
        await page.get_by_role("button", name="الإعدادات").click()
        await page.locator("#show-details").uncheck()
        await expect(person.reply.locator(".details")).to_be_hidden()
        await page.locator("#colours").select_option("")
        await expect(page.locator("html")).not_to_have_attribute("data-theme", "dark")
        await page.locator("#language").select_option("")
        await expect(page.locator("html")).to_have_attribute("lang", "en")
        await expect(page.get_by_role("button", name="Use dark colours")).to_be_visible()
