"""The page says of who answers what the service says, and nothing of its own."""

import re

from playwright.async_api import Browser, expect

from app.bots.greeter import SUGGESTIONS
from tests.browser.people import somebody
from tests.support.server import LiveServer


async def test_the_greeter_s_suggestions_are_shown_with_the_greeter(chromium: Browser) -> None:
    """A click on one sends it."""
    with LiveServer("greeter", greeter_pace_ms=0) as server:
        async with somebody(chromium, server.url) as person:
            buttons = person.page.get_by_role("group", name="Suggestions").get_by_role("button")
            await expect(buttons).to_have_text(list(SUGGESTIONS))
            await buttons.first.click()
            assert await person.hears_the_end() == "Hi there! How can I help you today?"


async def test_another_bot_has_its_own_and_its_own_limit(chromium: Browser) -> None:
    """Or none."""
    with LiveServer("simulator", max_message_characters=5) as server:
        async with somebody(chromium, server.url) as person:
            await person.message.fill("123456")
            await expect(person.page.get_by_role("alert")).to_contain_text("6 of 5 characters")
            await person.message.fill("12345")
            await expect(person.page.get_by_role("alert")).to_be_hidden()
            await expect(person.page.get_by_role("group", name="Suggestions").get_by_role("button")).to_have_count(0)


async def test_a_title_of_the_bot_s_is_shown_without_a_reload(chromium: Browser) -> None:
    """The simulator says what it is asked, so that its title is the question for it."""
    with LiveServer("simulator", bot_titles=True) as server:
        async with somebody(chromium, server.url) as person:
            await person.say("hello")
            await person.hears_the_end()
            await expect(person.conversations).to_have_text([re.compile("^Write a title")])
            await expect(person.page).to_have_title(re.compile("^Write a title"))
