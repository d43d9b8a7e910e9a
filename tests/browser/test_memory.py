"""The chat page keeps nothing of what it does not show any more."""

from dataclasses import dataclass

from playwright.async_api import Browser, CDPSession, expect

from tests.browser.people import Person, somebody
from tests.support.server import LiveServer

_TEXT = (
    "Words and **bold** ones.\n\n- an item\n- another\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```py\nprint('a')\n```\n"
)

_STORE = """async ([count, user_message]) => {
    let conversation_id;
    for (let n = 0; n < count; n += 1) {
        const response = await fetch("api/replies", {
            method: "POST", headers: { "Content-Type": "application/json" },
            body: JSON.stringify({ user_message, ...(conversation_id && { conversation_id }) }) });
        conversation_id = (await response.json()).conversation_id;
    }
    return conversation_id;
}"""
"""Stores a conversation with so many replies. Returns its id."""

_TALK = """async ([count, text]) => {
    const frame = () => new Promise(requestAnimationFrame);
    for (let n = 1; n <= count; n += 1) {
        const box = document.querySelector("#message");
        box.value = text;
        box.dispatchEvent(new Event("input"));
        document.querySelector("#composer").requestSubmit();
        while (document.querySelectorAll(".message.reply[aria-busy=false]").length < n) await frame();
    }
}"""
"""Sends so many messages, one after the other."""


@dataclass(frozen=True)
class _Size:
    nodes: float
    listeners: float
    heap_bytes: float


async def _size(session: CDPSession, person: Person) -> _Size:
    """What the page keeps alive, after all else was collected."""
    await person.page.wait_for_timeout(2_500)  # until timers of what was shown are over
    for _ in range(2):
        await session.send("HeapProfiler.collectGarbage")
    found = (await session.send("Performance.getMetrics"))["metrics"]
    metrics = {metric["name"]: metric["value"] for metric in found}
    return _Size(metrics["Nodes"], metrics["JSEventListeners"], metrics["JSHeapUsedSize"])


async def _measures(person: Person) -> CDPSession:
    session = await person.page.context.new_cdp_session(person.page)
    await session.send("Performance.enable")
    return session


async def _begins_anew(person: Person) -> None:
    await person.page.get_by_role("button", name="New chat").click()
    await expect(person.replies).to_have_count(0)


async def test_conversations_that_are_opened_and_left_take_no_memory(chromium: Browser, server: LiveServer) -> None:
    """Back and forth between two long ones."""
    async with somebody(chromium, server.url) as person:
        ids = [await person.page.evaluate(_STORE, [20, _TEXT]) for _ in range(2)]
        session = await _measures(person)

        async def go_round(rounds: int) -> _Size:
            for _ in range(rounds):
                for conversation_id in ids:
                    await person.page.evaluate("(id) => { location.hash = id }", conversation_id)
                    await expect(person.page).to_have_url(f"{server.url}/#{conversation_id}")
                    await expect(person.replies).to_have_count(20)
            await _begins_anew(person)
            return await _size(session, person)

        before, after = await go_round(2), await go_round(5)
        assert after.nodes <= 1.1 * before.nodes
        assert after.listeners <= 1.1 * before.listeners
        assert after.heap_bytes <= 1.25 * before.heap_bytes


async def test_replies_that_streamed_take_no_memory_once_they_are_left(chromium: Browser, server: LiveServer) -> None:
    """Each conversation of ten replies leaves the page as it was before."""
    async with somebody(chromium, server.url) as person:
        session = await _measures(person)

        async def talk(rounds: int) -> _Size:
            for _ in range(rounds):
                await person.page.evaluate(_TALK, [10, _TEXT])
                await _begins_anew(person)
            return await _size(session, person)

        before, after = await talk(1), await talk(3)
        assert after.nodes <= 1.1 * before.nodes + 3 * 20  # and one more conversation in the list, for each
        assert after.listeners <= 1.1 * before.listeners + 3 * 5
        assert after.heap_bytes <= 1.25 * before.heap_bytes
