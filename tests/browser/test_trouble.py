"""The chat page when something goes wrong: nothing is lost or repeated, and the user is told what to do."""

import asyncio

import httpx
import pytest
from playwright.async_api import Browser, Route, expect

from tests.browser.people import Person, somebody
from tests.support.browser import visitor
from tests.support.cable import Cable
from tests.support.databases import fresh_database_url
from tests.support.keys import made_key, revoke
from tests.support.server import LiveServer

_WORDS = [f"word{n}" for n in range(40)]
_TALK = "/simulate pace_ms=50\n" + " ".join(_WORDS)


async def _heard_exactly(person: Person) -> None:
    assert (await person.hears_the_end()).split() == _WORDS


async def test_a_stream_that_is_cut_goes_on(chromium: Browser, server: LiveServer) -> None:
    """By itself, any number of times; and every word is there once."""
    async with Cable(server.port) as cable, somebody(chromium, cable.url) as person:
        await person.say(_TALK)
        for word in ("word3", "word12", "word25"):
            await person.hears(word)
            cable.shake()
        await _heard_exactly(person)
        await expect(person.reply.locator(".note")).to_be_hidden()
        await person.page.reload()
        await _heard_exactly(person)
        await expect(person.replies).to_have_count(1)


async def test_who_was_away_hears_what_it_missed(chromium: Browser, server: LiveServer) -> None:
    """Meanwhile, the page says what is wrong."""
    async with Cable(server.port) as cable, somebody(chromium, cable.url) as person:
        await person.say(_TALK)
        await person.hears("word5")
        await person.page.context.set_offline(offline=True)
        cable.cut()
        await expect(person.reply.locator(".note")).to_contain_text("You are offline")
        cable.join()
        await person.page.context.set_offline(offline=False)
        await _heard_exactly(person)


async def test_a_message_that_did_not_get_through_is_sent_again(chromium: Browser, server: LiveServer) -> None:
    """And answered once: it may have arrived, and only the response may have been lost."""
    async with Cable(server.port) as cable, somebody(chromium, cable.url) as person:
        cable.cut()
        await person.say("hello, is anybody there?")
        await expect(person.reply.locator(".note")).to_contain_text("Connection lost")
        cable.join()
        assert await person.hears_the_end() == "hello, is anybody there?"
        cable.shake()
        await person.say("/simulate first_ms=1000\nonce")
        await expect(person.replies).to_have_count(2)
        cable.shake()
        assert await person.hears_the_end() == "once"
        await person.page.reload()
        await expect(person.replies).to_have_count(2)
        await expect(person.sayings).to_have_count(2)


async def test_a_reload_finds_the_running_reply(chromium: Browser, server: LiveServer) -> None:
    """From its first word to its last."""
    async with somebody(chromium, server.url) as person:
        await person.say(_TALK)
        await person.hears("word5")
        await person.page.reload()
        await expect(person.reply).to_have_attribute("aria-busy", "true")
        await expect(person.stop).to_be_visible()
        await _heard_exactly(person)
        await expect(person.replies).to_have_count(1)


async def test_two_tabs_show_one_reply(chromium: Browser, server: LiveServer) -> None:
    """Opened while it runs or before it started; stopping it in one tab stops it in both."""
    async with somebody(chromium, server.url) as person:
        await person.say("hello")
        await person.hears_the_end()
        other = await person.another_tab()
        await other.hears("hello")
        await person.say(_TALK)
        await other.hears("word5")
        third = await person.another_tab()
        await third.hears("word9")
        for somewhere in (person, other, third):
            await _heard_exactly(somewhere)
            await expect(somewhere.replies).to_have_count(2)
        await other.say("/simulate stall_after=3\nsome words that stay unsaid")
        await person.hears("some words")
        await person.stop.click()
        await expect(other.reply.locator(".note")).to_have_text("Stopped.")


async def test_a_server_that_was_killed_is_found_again(chromium: Browser) -> None:
    """The text so far is shown as interrupted, and the user can retry."""
    with LiveServer(save_every_seconds=0.05) as first:
        async with Cable(first.port) as cable, somebody(chromium, cable.url) as person:
            await person.say("/simulate stall_after=4\nsome words stay unsaid for ever")
            await person.hears("some words stay")
            first.process.kill()
            await expect(person.reply.locator(".note")).to_contain_text("Connection lost")
            first.wait()
            with LiveServer(database_url=first.database_url) as second:
                cable.lead_to(second.port)
                await expect(person.reply.locator(".note")).to_contain_text("The server stopped", timeout=60_000)
                assert "some words stay ".startswith(await person.hears_the_end())
                await person.reply.get_by_role("button", name="Try again").click()
                await expect(person.reply).to_have_attribute("aria-busy", "true")
                await person.hears("some words stay")
                await person.stop.click()
                await person.hears_the_end()
                await person.page.reload()
                await expect(person.note).to_have_text("Stopped.")
                await expect(person.sayings).to_have_count(1)


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("/simulate status=503\nhello", "The bot is not available"),
        ("/simulate fail_after=2\none two three", "The bot failed"),
        ("/simulate status=429\nhello", "Try again in"),
    ],
)
async def test_a_reply_that_fails_says_what_to_do(
    message: str, told: str, chromium: Browser, server: LiveServer
) -> None:
    """The user can retry as soon as that makes sense, replacing the failed reply; also after a reload."""
    async with somebody(chromium, server.url) as person:
        await person.say(message)
        await expect(person.reply.locator(".foot")).to_contain_text(told)
        await expect(person.reply.get_by_role("alert")).to_be_visible()
        conversation_id = await person.conversation_id()
        for _ in range(2):
            async with person.page.expect_response("**/api/chat"):
                await person.reply.get_by_role("button", name="Try again").click()
            await expect(person.reply.locator(".foot")).to_contain_text(told)
            await person.page.reload()
            await expect(person.note).to_have_text("The reply failed.")
            await expect(person.replies).to_have_count(1)
            await expect(person.sayings).to_have_count(1)
        assert await person.conversation_id() == conversation_id
        await expect(person.conversations.filter(has_text=message.partition("\n")[0])).to_have_count(1)


async def test_a_reply_that_fails_in_another_tab_is_tried_again_there(chromium: Browser, server: LiveServer) -> None:
    """The message is not sent a second time: it is answered on a branch beside the failed reply."""
    async with somebody(chromium, server.url) as person:
        await person.say("/simulate fail_after=8 pace_ms=500\n" + " ".join(_WORDS))
        await person.hears("word1")
        other = await person.another_tab()
        await other.hears("word2")
        await expect(other.reply.get_by_role("alert")).to_contain_text("The bot failed")
        async with other.page.expect_response("**/api/chat"):
            await other.reply.get_by_role("button", name="Try again").click()
        await expect(other.reply.locator(".branches")).to_have_text("2/2")
        await expect(other.reply.get_by_role("alert")).to_contain_text("The bot failed")
        for _ in range(2):
            await expect(other.replies).to_have_count(1)
            await expect(other.sayings).to_have_count(1)
            await expect(other.reply.locator(".branches")).to_have_text("2/2")
            await other.page.reload()


async def test_a_conversation_that_is_gone_is_said_to_be(chromium: Browser, server: LiveServer) -> None:
    """Deleted elsewhere, or never existing."""
    async with somebody(chromium, server.url) as person:
        await person.page.goto(f"{server.url}/#{'0' * 32}")
        await expect(person.reply.get_by_role("alert")).to_contain_text("It may have been deleted")
        await person.page.get_by_role("button", name="New chat").click()
        await person.say("hello")
        assert await person.hears_the_end() == "hello"


async def test_a_reply_that_is_gone_does_not_end_an_edit(chromium: Browser, server: LiveServer) -> None:
    """What was typed stays, and the page says what has become of the reply."""
    async with Cable(server.port) as cable, somebody(chromium, cable.url) as person:
        await person.say("one")
        await person.hears_the_end()
        await person.say(_TALK)
        await person.hears("word3")
        await person.sayings.first.hover()
        await person.sayings.first.get_by_role("button", name="Edit").click()
        editor = person.page.locator(".editing textarea")
        await editor.fill("two")
        conversation = person.page.url.partition("#")[2]
        cable.cut()
        async with httpx.AsyncClient(base_url=server.url) as client:
            assert (await client.delete(f"/api/conversations/{conversation}")).status_code == 204
        cable.join()
        await expect(person.note).to_contain_text("no such reply")
        await expect(editor).to_have_value("two")


async def test_where_a_key_is_asked_for_people_are_asked_for_it(chromium: Browser) -> None:
    """Once, and told if it is wrong. Their message is sent when the key is accepted; the key can be forgotten."""
    url = fresh_database_url("sqlite")
    key, key_id = await made_key(url)
    with LiveServer(database_url=url) as server:
        async with somebody(chromium, server.url) as person:
            field = person.page.get_by_label("Key or token")
            await expect(field).to_be_focused()
            await field.fill("chat_wrong")
            await person.page.keyboard.press("Enter")
            await expect(person.page.get_by_role("dialog")).to_contain_text("not valid")
            await field.fill("chat_“wrong”")
            await person.page.keyboard.press("Enter")
            await expect(person.page.get_by_role("dialog")).to_contain_text("This is not a key")
            await person.page.get_by_role("button", name="Cancel").click()
            await person.say("let me in")
            await field.fill(key)
            await person.page.get_by_role("button", name="Use this key").click()
            assert await person.hears_the_end() == "let me in"
            await expect(person.conversations).to_have_count(1)
            await person.page.reload()
            assert await person.hears_the_end() == "let me in"
            await person.page.get_by_role("button", name="Forget key").click()
            await expect(field).to_be_focused()
            await field.fill(key)
            await person.page.get_by_label("Remember it on this device").check()
            await person.page.keyboard.press("Enter")
            await expect(person.page.get_by_role("dialog")).to_be_hidden()
            assert await person.hears_the_end() == "let me in"  # the conversation is loaded: messages can be sent
            await person.say("/simulate stall_after=3\nsome words that stay unsaid")
            await person.hears("some words")
            await revoke(url, key_id)
            await expect(person.reply.get_by_role("alert")).to_be_visible(timeout=60_000)


async def test_a_key_that_was_given_is_not_asked_for_again(chromium: Browser) -> None:
    """By a request that was sent without it, and is told so only then: it is sent again."""
    url = fresh_database_url("sqlite")
    key, _ = await made_key(url)
    given = asyncio.Event()

    async def hold(route: Route) -> None:
        refused = await route.fetch()
        await given.wait()
        await route.fulfill(response=refused)

    with LiveServer(database_url=url) as server:
        async with visitor(chromium) as page:
            await page.route("**/api/service", hold, times=1)
            await page.goto(f"{server.url}/")
            person = Person(page)
            await page.get_by_label("Key or token").fill(key)
            await page.keyboard.press("Enter")
            await expect(page.get_by_role("dialog")).to_be_hidden()
            async with page.expect_response(lambda told: told.url.endswith("/api/service") and told.status == 200):
                given.set()
            await expect(page.get_by_role("dialog")).to_be_hidden()
            await person.say("let me in")
            assert await person.hears_the_end() == "let me in"


async def test_a_key_that_is_asked_for_meanwhile_does_not_send_again(chromium: Browser) -> None:
    """The reply goes on where it was lost, also in a tab that did not send the message."""
    url = fresh_database_url("sqlite")
    key, _ = await made_key(url)
    with LiveServer(database_url=url) as server:
        async with Cable(server.port) as cable, somebody(chromium, cable.url) as person:
            await person.page.get_by_label("Key or token").fill(key)
            await person.page.keyboard.press("Enter")
            await expect(person.page.get_by_role("dialog")).to_be_hidden()
            await person.say("/simulate pace_ms=200\n" + " ".join(_WORDS))
            await person.hears("word1")
            other = await person.another_tab()
            field = other.page.get_by_label("Key or token")
            await field.fill(key)
            await other.page.keyboard.press("Enter")
            await other.hears("word2")
            await other.page.evaluate("sessionStorage.removeItem('chat.key')")
            cable.shake()
            await expect(field).to_be_focused()
            await field.fill(key)
            await other.page.keyboard.press("Enter")
            await _heard_exactly(other)
            await _heard_exactly(person)
            await expect(other.sayings).to_have_count(1)
            await expect(other.replies).to_have_count(1)
