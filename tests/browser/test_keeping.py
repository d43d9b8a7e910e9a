"""The chat page loses nothing: drafts, requests to stop, and it respects blocked site data."""

import asyncio
from dataclasses import replace

from playwright.async_api import Browser, expect

from app.contract import Contract
from chat_verify.exchange import Answer
from tests.browser.people import Person, somebody
from tests.support.browser import visitor
from tests.support.cable import Cable
from tests.support.server import LiveServer
from tests.verify.faults import Asked, Fault
from tests.verify.proxy import FaultyProxy


class Refusing:
    """A proxy that fails for the first requests to a path, and records all of them."""

    def __init__(self, path: str, times: int) -> None:
        """`path` is how those requests' paths end."""
        self.asked: list[Asked] = []
        self._path = path
        self._times = times

    def __call__(self, asked: Asked) -> Asked | Answer:
        """The request, or the proxy's own page."""
        if asked.method != "POST" or not asked.path.endswith(self._path):
            return asked
        self.asked.append(asked)
        if len(self.asked) > self._times:
            return asked
        return Answer(502, {"content-type": "text/html"}, b"<h1>Bad Gateway</h1>")


async def test_a_message_that_did_not_arrive_survives_a_reload(chromium: Browser, server: LiveServer) -> None:
    """It is in the box again, and sent with the same key, because it may have arrived."""
    refusing = Refusing("/api/chat", times=1)
    async with FaultyProxy(server.port, Fault(request=refusing)) as proxy, visitor(chromium) as page:
        await page.goto(f"{proxy.url}/")
        person = Person(page)
        await page.clock.install()  # so that it is not retried before the reload
        await person.say("a message")
        await expect(person.note).to_contain_text("Connection lost")
        await page.reload()
        await expect(person.message).to_have_value("a message")
        await person.page.get_by_role("button", name="Send").click()
        await person.hears("a message")
        await page.reload()
        await expect(person.message).to_have_value("")
        await expect(person.sayings).to_have_count(1)
    assert len({asked.headers["idempotency-key"] for asked in refusing.asked}) == 1


_SLOW_TO_BEGIN = "/simulate first_ms=3000\nonce"
_SILENT = "/simulate stall_after=3\nsome words that stay unsaid"
_COUNT = "async () => (await (await fetch('api/conversations?limit=100')).json()).conversations.length"
_LISTEN = "() => { window.told = new Promise((heard) => (new BroadcastChannel('chat').onmessage = () => heard())); }"
_MESSAGES = "async (id) => (await (await fetch(`api/conversations/${id}`)).json()).messages.length"


async def test_a_message_that_did_arrive_is_not_in_the_box(chromium: Browser, server: LiveServer) -> None:
    """Also if the page was reloaded before the response began: the running reply shows that it arrived."""
    async with somebody(chromium, server.url) as person:
        await person.say("hello")
        await person.hears_the_end()
        await person.say(_SLOW_TO_BEGIN)
        while await person.page.evaluate(_MESSAGES, await person.conversation_id()) < 4:
            await asyncio.sleep(0.05)
        await person.page.reload()
        await expect(person.replies).to_have_count(2)
        await expect(person.stop).to_be_visible()
        await expect(person.message).to_have_value("")
        assert await person.hears_the_end() == "once"
        await expect(person.sayings).to_have_count(2)


async def test_a_message_that_is_in_the_box_again_can_be_sent_elsewhere(chromium: Browser, server: LiveServer) -> None:
    """After a reload, it is a new message in another conversation; and it is put into the box once."""
    async with somebody(chromium, server.url) as person:
        await person.say("somewhere else")
        await person.hears_the_end()
        before = await person.page.evaluate(_COUNT)
        await person.page.get_by_role("button", name="New chat").click()
        await person.say(_SLOW_TO_BEGIN)
        while await person.page.evaluate(_COUNT) == before:
            await asyncio.sleep(0.05)
        for _ in range(2):
            await person.page.reload()
            await expect(person.message).to_have_value(_SLOW_TO_BEGIN)
        await person.conversations.filter(has_text="somewhere else").click()
        await person.hears("somewhere else")
        await person.page.get_by_role("button", name="Send").click()
        await expect(person.replies).to_have_count(2)
        assert await person.hears_the_end() == "once"


async def test_a_message_that_is_refused_can_be_edited(chromium: Browser, server: LiveServer) -> None:
    """The page says why, and puts it back into the box; also after a reload."""
    async with somebody(chromium, server.url) as person:
        await person.say("/simulate nonsense\nhello")
        await expect(person.reply.get_by_role("alert")).to_contain_text("The bot refuses this message.")
        await person.reply.get_by_role("button", name="Edit the message").click()
        await expect(person.message).to_have_value("/simulate nonsense\nhello")
        await expect(person.message).to_be_focused()
        await expect(person.replies).to_have_count(0)
        await person.page.reload()
        await expect(person.message).to_have_value("/simulate nonsense\nhello")


async def _where_another_branch_is_busy(person: Person) -> None:
    """A message is refused here: the reply of a branch that is not shown is running."""
    await person.say("hello")
    await person.hears_the_end()
    await person.sayings.first.hover()
    await person.sayings.first.get_by_role("button", name="Edit this message").click()
    await person.page.get_by_role("textbox", name="Edited message").fill(_SILENT)
    await person.page.keyboard.press("Enter")
    await person.hears("some words")
    await person.sayings.first.get_by_role("button", name="Previous version").click()
    await person.hears("hello")


async def test_a_message_that_was_not_sent_is_not_left_behind(chromium: Browser, server: LiveServer) -> None:
    """In another conversation or branch, it is in the box, before what was typed meanwhile."""
    async with somebody(chromium, server.url) as person:
        await _where_another_branch_is_busy(person)
        await person.say("go on")
        await expect(person.reply.get_by_role("alert")).to_contain_text("A reply is running")
        await person.message.fill("and on")
        await person.page.keyboard.press("Enter")
        await expect(person.replies).to_have_count(3)
        await expect(person.reply.get_by_role("alert")).to_contain_text("A reply is running")
        await person.message.fill("typed")
        await person.page.get_by_role("button", name="New chat").click()
        await expect(person.message).to_have_value("go on\n\nand on\n\ntyped")
        await person.page.reload()
        await expect(person.message).to_have_value("go on\n\nand on\n\ntyped")
        await person.page.go_back()
        await person.say("once")
        await expect(person.replies).to_have_count(2)
        await person.sayings.first.get_by_role("button", name="Next version").click()
        await expect(person.message).to_have_value("once")


async def test_a_message_that_fails_after_its_conversation_was_left_is_told(
    chromium: Browser, server: LiveServer
) -> None:
    """It was still on its way then: it is in the box, and the page says why."""
    async with Cable(server.port) as cable, somebody(chromium, cable.url) as person:
        await _where_another_branch_is_busy(person)
        cable.cut()
        await person.say("go on")
        await expect(person.note).to_contain_text("Connection lost")
        await person.page.get_by_role("button", name="New chat").click()
        await person.message.fill("typed")
        cable.join()
        await expect(person.message).to_have_value("go on\n\ntyped", timeout=60_000)
        await expect(person.page.locator("#notice")).to_contain_text("A reply is running in this conversation.")


async def test_what_another_tab_begins_does_not_end_a_failed_attempt(chromium: Browser, server: LiveServer) -> None:
    """The unsent message stays, with what can be done. Once it is answered, what the other tab said is there, too."""
    async with somebody(chromium, server.url) as person:
        await person.say("hello")
        await person.hears_the_end()
        other = await person.another_tab()
        await other.hears("hello")
        await person.say("/simulate first_ms=1500 stall_after=2\nsome words that stay unsaid")
        await expect(person.stop).to_be_visible()
        while await person.page.evaluate(_MESSAGES, await person.conversation_id()) < 4:
            await asyncio.sleep(0.05)
        await other.page.evaluate(_LISTEN)
        await other.say("mine")
        await expect(other.reply.get_by_role("alert")).to_contain_text("A reply is running")
        await other.page.evaluate("window.told")
        await other.page.evaluate(_MESSAGES, await person.conversation_id())  # as if that was shown
        await expect(other.sayings.locator(".said")).to_have_text(["hello", "mine"])
        await other.reply.get_by_role("button", name="Stop it and send this").click()
        await expect(other.sayings).to_have_count(3)
        assert await other.hears_the_end() == "mine"
        await expect(other.message).to_have_value("")


def _cut_short(asked: Asked, answer: Answer) -> Answer:
    return replace(answer, content=answer.content[:-5]) if "/api/conversations" in asked.path else answer


async def test_a_response_that_broke_off_is_told_from_an_answer(chromium: Browser, server: LiveServer) -> None:
    """In the words of the page, not the browser's."""
    async with FaultyProxy(server.port, Fault(whole=_cut_short)) as proxy, visitor(chromium) as page:
        await page.goto(f"{proxy.url}/")
        await expect(page.locator("#list-problem")).to_contain_text("The server cannot be reached.")
        person = Person(page)
        await person.say("hello")
        await person.hears_the_end()
        await page.reload()
        await expect(person.reply.get_by_role("alert")).to_contain_text("The server cannot be reached.")


async def test_stop_is_asked_again_until_it_is_heard(chromium: Browser, server: LiveServer) -> None:
    """A proxy that loses the server for a moment does not keep the reply running."""
    refusing = Refusing("/cancel", times=2)
    async with FaultyProxy(server.port, Fault(request=refusing)) as proxy, visitor(chromium) as page:
        await page.goto(f"{proxy.url}/")
        person = Person(page)
        await person.say("/simulate stall_after=3\nsome words that stay unsaid")
        await person.hears("some words")
        await person.stop.click()
        await expect(person.note).to_have_text("Stopped.")
    assert len(refusing.asked) == 3


async def test_stop_waits_for_the_connection(chromium: Browser, server: LiveServer) -> None:
    """If it is pressed while offline, the reply stops when the network is back."""
    async with Cable(server.port) as cable, somebody(chromium, cable.url) as person:
        await person.say("/simulate stall_after=3\nsome words that stay unsaid")
        await person.hears("some words")
        cable.cut()
        await expect(person.note).to_contain_text("Connection lost")
        await person.stop.click()
        cable.join()
        await expect(person.note).to_have_text("Stopped.", timeout=60_000)


async def test_a_reply_that_nobody_read_is_told_from_one_that_was_stopped(chromium: Browser) -> None:
    """Where the operator does not let replies continue without readers."""
    with LiveServer(resume_window_seconds=0, unread_seconds=0) as server:
        async with somebody(chromium, server.url) as person:
            await person.say("/simulate stall_after=3\nsome words that stay unsaid")
            await person.hears("some words")
            await person.page.get_by_role("button", name="New chat").click()
            await expect(person.replies).to_have_count(0)
            await person.conversations.first.click()
            await expect(person.note).to_have_text("The reply ended early because nobody was reading it.")


_BLOCK = """
    const blocked = { get() { throw new DOMException("Access is denied for this document.", "SecurityError"); } };
    Object.defineProperty(window, "localStorage", blocked);
    Object.defineProperty(window, "sessionStorage", blocked);
    window.BroadcastChannel = class { constructor() { blocked.get(); } };
"""
"""A browser whose user has blocked cookies and site data."""


async def test_it_works_where_site_data_is_blocked(chromium: Browser, server: LiveServer) -> None:
    """Without storage: choices last until the page is closed."""
    async with visitor(chromium) as page:
        await page.context.add_init_script(_BLOCK)
        await page.goto(f"{server.url}/")
        person = Person(page)
        await page.get_by_role("button", name="Use dark colours").click()
        await expect(page.get_by_role("button", name="Use light colours")).to_be_visible()
        await person.say("hello")
        assert await person.hears_the_end() == "hello"
        await page.reload()
        assert await person.hears_the_end() == "hello"


_PROBLEMS = [
    dict(problem)
    for problem in Contract.load().problems.values()
    if problem["status"] in {401, 413, 422, 429, 500, 502, 503, 504}
]
"""The problems that users of the page can meet."""


_FOR_PROGRAMS = ["Retry-After", "Last-Event-ID", "X-Request-Id", "Authorization", "Bearer", "errors"]


async def test_people_are_told_nothing_that_only_programs_can_do(chromium: Browser, server: LiveServer) -> None:
    """The contract's texts are for developers of clients."""
    async with somebody(chromium, server.url) as person:
        told = await person.page.evaluate(
            """async (problems) => {
                const { Problem } = await import("/page/client.js");
                return problems.map((problem) => new Problem(problem).message);
            }""",
            _PROBLEMS,
        )
    assert len(told) >= 15
    assert not [text for text in told if any(word in text for word in _FOR_PROGRAMS)]
