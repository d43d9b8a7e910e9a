"""The chat page when time has passed, or a request has failed: what was given up or grew old comes right by itself."""

import json
import re
from datetime import UTC, datetime, timedelta

from playwright.async_api import Browser, Route, expect

from app.bots.greeter import SUGGESTIONS
from tests.browser.people import PHONE, somebody
from tests.support.cable import Cable
from tests.support.databases import fresh_database_url
from tests.support.keys import made_key
from tests.support.server import LiveServer

_WORDS = [f"word{n}" for n in range(40)]
_LIMITED = {
    "type": "urn:problem:word-limit-reached",
    "title": "Too many words",
    "status": 429,
    "detail": "Wait.",
    "retryable": True,
}


async def test_the_way_back_to_a_reply_is_as_long_as_the_device_is_offline(
    chromium: Browser, server: LiveServer
) -> None:
    """Longer than the page would try while it is online; the page says that the reply continues."""
    async with Cable(server.port) as cable, somebody(chromium, cable.url) as person:
        await person.page.clock.install()
        await person.say("/simulate pace_ms=20\n" + " ".join(_WORDS))
        await person.hears("word5")
        await person.page.context.set_offline(offline=True)
        cable.cut()
        await expect(person.note).to_contain_text("You are offline")
        await person.page.clock.run_for(90_000)
        await expect(person.note).to_contain_text("You are offline")
        cable.join()
        await person.page.context.set_offline(offline=False)
        assert (await person.hears_the_end()).split() == _WORDS


async def test_a_wait_is_over_when_its_time_has_passed(chromium: Browser, server: LiveServer) -> None:
    """Also if the device has slept meanwhile, so that no timer ran."""
    async with somebody(chromium, server.url) as person:
        await person.page.clock.install()

        async def refuse(route: Route) -> None:
            headers = {"retry-after": "600"}
            body = json.dumps(_LIMITED)
            await route.fulfill(status=429, headers=headers, content_type="application/problem+json", body=body)

        await person.page.route("**/api/chat", refuse)
        await person.say("hello")
        again = person.reply.get_by_role("button", name="Try again")
        await expect(again).to_be_disabled()
        await person.page.clock.fast_forward(601_000)
        await expect(again).to_be_enabled()
        await expect(again).to_have_text("Try again")


async def test_a_deletion_that_fails_is_said_where_it_is_seen(chromium: Browser, server: LiveServer) -> None:
    """On a phone, the list is hidden."""
    async with somebody(chromium, server.url, **PHONE) as person:
        await person.say("hello")
        await person.hears_the_end()
        await person.page.context.set_offline(offline=True)
        await person.page.get_by_role("button", name="More about this conversation").click()
        await person.page.locator("#menu").get_by_role("button", name="Delete").click()
        await person.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        await expect(person.page.get_by_role("alert").filter(has_text="could not be deleted")).to_be_in_viewport()


async def test_who_stops_a_reply_without_a_key_is_asked_for_it(chromium: Browser) -> None:
    """It was forgotten in another tab."""
    url = fresh_database_url("sqlite")
    key, _ = await made_key(url)
    with LiveServer(database_url=url) as server:
        async with somebody(chromium, server.url) as person:
            field = person.page.get_by_label("Key or token")
            await field.fill(key)
            await person.page.get_by_label("Remember it on this device").check()
            await person.page.keyboard.press("Enter")
            await person.say("/simulate stall_after=3\nsome words that stay unsaid")
            await person.hears("some")
            await person.page.evaluate("localStorage.clear()")
            await person.stop.click()
            await expect(field).to_be_focused()
            await person.page.get_by_role("button", name="Cancel").click()
            await expect(person.note).to_contain_text("could not be stopped")
            await person.stop.click()
            await field.fill(key)
            await person.page.keyboard.press("Enter")
            await expect(person.note).to_have_text("Stopped.")


async def test_what_could_not_be_loaded_is_loaded_when_the_device_is_back(chromium: Browser) -> None:
    """Who answers, what to suggest, and the conversations."""
    with LiveServer("greeter", greeter_pace_ms=0) as server:
        async with somebody(chromium, server.url) as person:
            await person.say("hello")
            await person.hears_the_end()
            await person.page.route(re.compile("/api/(conversations|service)"), lambda route: route.abort())
            await person.page.goto("about:blank")
            await person.page.goto(f"{server.url}/")
            suggestions = person.page.get_by_role("group", name="Suggestions").get_by_role("button")
            await expect(person.page.locator("#list-problem")).to_be_visible()
            await expect(suggestions).to_have_count(0)
            await person.page.unroute_all()
            await person.page.context.set_offline(offline=True)
            await person.page.context.set_offline(offline=False)
            await expect(suggestions).to_have_text(list(SUGGESTIONS))
            await expect(person.conversations).to_have_count(1)
            await expect(person.page.locator("#list-problem")).to_be_hidden()


async def test_the_next_day_what_was_today_is_yesterday(chromium: Browser, server: LiveServer) -> None:
    """For whoever looks at the page again, which was open all night."""
    now = datetime.now(UTC)
    async with somebody(chromium, server.url) as person:
        await person.page.clock.set_fixed_time(now)
        await person.say("hello")
        await person.hears_the_end()
        heading = person.page.locator("#log .day")
        await expect(heading).to_have_text("Today")
        await person.page.clock.set_fixed_time(now + timedelta(days=1))
        await person.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await expect(heading).to_have_text("Yesterday")
