"""The focus on the chat page, for those who use it with the keyboard alone: it is always somewhere that makes sense."""

import asyncio
import re

from playwright.async_api import Browser, Locator, Route, expect

from tests.browser.people import FILL, Person, somebody
from tests.support.browser import until
from tests.support.server import LiveServer

_WATCH = """() => {
    window.lost = [];
    const look = () => {
        if (document.activeElement === document.body && lost.at(-1) !== window.doing) lost.push(window.doing);
        requestAnimationFrame(look);
    };
    look();
}"""
"""Notes during what the focus is nowhere, in any frame."""

_IS_AHEAD = """(wanted) => Boolean(
    document.activeElement.compareDocumentPosition(wanted) & Node.DOCUMENT_POSITION_FOLLOWING)"""

_HAS_FOCUS = "(element) => element.isConnected ? document.activeElement === element : null"
"""Null if the page has made another one in its place."""

_STALLING = "/simulate stall_after=3\nsome words that stay unsaid"

_TALK = """async () => {
    const ask = async (body) => (await fetch("api/replies", {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) })).json();
    const { conversation_id } = await ask({ user_message: "turn 0" });
    for (let n = 1; n < 25; n += 1) await ask({ user_message: `turn ${n}`, conversation_id });
    return conversation_id;
}"""


class _Walker:
    """Somebody who only has a keyboard."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.page = person.page
        self.press = person.page.keyboard.press

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    async def goes_to(self, wanted: Locator) -> None:
        await expect(wanted).to_be_visible()
        key = "Tab" if await wanted.evaluate(_IS_AHEAD) else "Shift+Tab"
        element = await wanted.element_handle()  # to find it anew after each key costs as much as the key
        for _ in range(150):
            has_focus = await element.evaluate(_HAS_FOCUS)
            if has_focus is None:
                element = await wanted.element_handle()
                has_focus = await element.evaluate(_HAS_FOCUS)
            if has_focus:
                return
            await self.press(key)
        raise AssertionError(await wanted.evaluate("(wanted) => wanted.outerHTML"))

    async def does(self, what: str, wanted: Locator, key: str = "Enter") -> None:
        await self.page.evaluate("(what) => { window.doing = what }", what)
        await self.goes_to(wanted)
        await self.press(key)

    async def says(self, text: str) -> None:
        await self.goes_to(self.person.message)
        await self.person.message.fill(text)
        await self.press("Enter")


async def _replies(walker: _Walker) -> None:
    """What begins a reply is gone: the focus goes to the button that stops it, and then to the message box."""
    person, message = walker.person, walker.person.message
    await walker.does("a suggestion", walker.button(_STALLING))
    await expect(person.stop).to_be_focused()
    await person.hears("some words")
    await walker.does("Stop", person.stop)
    await expect(message).to_be_focused()
    await walker.does("Try again, after a stop", walker.button("Try again"))
    await expect(person.stop).to_be_focused()
    await person.hears("some words")
    await walker.does("Stop, the second time", person.stop)
    await expect(message).to_be_focused()
    await walker.says("/simulate fail_after=3 pace_ms=200\none two three four five")
    await expect(person.reply.get_by_role("alert")).to_be_visible()
    await walker.does("Try again, after a failure", walker.button("Try again").last)
    await expect(person.stop).to_be_focused()
    await expect(person.reply.get_by_role("alert")).to_be_visible()
    await expect(message).to_be_focused()
    await walker.says("hello")
    await person.hears_the_end()
    await walker.does("regenerate", person.reply.get_by_role("button", name="Regenerate"))
    await expect(person.reply.get_by_role("group", name="Version 2 of 2")).to_be_visible()
    await person.hears_the_end()
    await expect(message).to_be_focused()
    await walker.does("another branch", person.reply.get_by_role("button", name="Previous version"))
    await expect(person.reply.get_by_role("button", name="Next version")).to_be_focused()


async def _what_is_not_possible_yet(walker: _Walker) -> None:
    """The button stays, and says why."""
    person = walker.person
    await walker.says(_STALLING)
    await person.hears("some words")
    regenerate = person.replies.nth(-2).get_by_role("button", name="Regenerate")
    await walker.does("regenerate while another reply is running", regenerate)
    await expect(regenerate).to_contain_text("Wait until")
    await expect(regenerate).to_be_focused()
    await walker.press("Enter")
    await walker.press("Alt+Shift+H")
    await person.stop.evaluate("(stop) => stop.click()")  # it ends by itself, as far as this person can tell
    await expect(person.stop).to_be_hidden()
    await walker.press("Escape")
    await expect(regenerate).to_be_focused()
    await expect(regenerate).not_to_contain_text("Wait until")


async def _messages(walker: _Walker) -> None:
    """An editor that is closed, a note, and what cannot be stored."""
    person = walker.person
    pen = person.sayings.last.get_by_role("button", name="Edit this message")
    await walker.does("edit", pen)
    await walker.does("cancel an edit", walker.button("Cancel"))
    await expect(pen).to_be_focused()
    await walker.does("edit again", pen)
    await person.page.keyboard.type("more")
    await walker.press("Enter")
    await expect(person.stop).to_be_focused()
    await person.hears("some words")
    await walker.does("Stop, after an edit", person.stop)
    await walker.does("Good reply", person.reply.get_by_role("button", name="Good reply"))
    why = person.reply.get_by_role("button", name="Say why")
    await walker.does("say why", why)
    await person.page.keyboard.type("because")
    await walker.does("save a note", walker.button("Save"))
    await expect(why).to_be_focused()
    holding = asyncio.Event()

    async def lose(route: Route) -> None:
        await holding.wait()
        await route.abort()

    await walker.does("take back", person.reply.get_by_role("button", name="Good reply"))
    await expect(why).to_be_hidden()
    await person.page.route("**/feedback", lose)
    await walker.does("bad reply, which cannot be stored", person.reply.get_by_role("button", name="Bad reply"))
    await walker.goes_to(why)
    holding.set()
    await expect(why).to_be_hidden()
    await expect(person.reply.get_by_role("button", name="Good reply")).to_be_focused()


async def _dialogs(walker: _Walker) -> None:
    """They end where they began, also if that was within a menu; or in the message box, if it is gone."""
    person = walker.person
    more = walker.button("More about this conversation")
    await walker.does("menu", more)
    await walker.does("rename", walker.button("Rename"))
    await person.page.keyboard.type("other name")
    await walker.press("Enter")
    await expect(person.page.locator("#title")).to_have_text("other name")
    await expect(more).to_be_focused()
    for name in ("Settings", "Keyboard shortcuts"):
        await walker.does(name, walker.button(name))
        await walker.does(f"close {name}", walker.button("Close"))
        await expect(walker.button(name)).to_be_focused()
    await walker.says(_STALLING)
    await person.hears("some words")
    await walker.goes_to(person.stop)
    await walker.page.evaluate("() => { window.doing = 'a reply that ends behind a dialog' }")
    await walker.press("Alt+Shift+H")
    await person.stop.evaluate("(stop) => stop.click()")
    await person.hears_the_end()
    await walker.press("Escape")
    await expect(person.message).to_be_focused()


async def _search(walker: _Walker) -> None:
    """When it is cleared, or shows something else than what the focus was in."""
    person = walker.person
    box = person.page.get_by_role("searchbox")
    holding, asked = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        asked.set()
        await holding.wait()
        await route.continue_()

    await person.page.route(re.compile("search="), hold)
    await walker.does("search", box, "n")
    await asked.wait()
    await walker.goes_to(person.conversations.nth(1))
    holding.set()
    await expect(person.page.locator("#conversations time.day")).to_have_count(0)  # these are what was found
    await expect(person.conversations.nth(1)).to_be_focused()
    await walker.goes_to(box)
    await person.page.keyboard.type("othing")
    await expect(person.conversations).to_have_count(0)
    await walker.does("clear the search", box, "Escape")
    await expect(person.conversations).to_have_count(20)
    await expect(box).to_be_focused()


async def _list(walker: _Walker) -> None:
    """What is deleted leaves its place to the next one, and "Show more" to the first that is new."""
    person, page = walker.person, walker.page
    await walker.does("show more", walker.button("Show more"))
    await expect(person.conversations).to_have_count(22)
    await expect(person.conversations.nth(20)).to_be_focused()
    for what, place, next_place in (("one of many", 19, 19), ("the last one", 20, 19), ("the first one", 0, 0)):
        count = await person.conversations.count()
        await walker.does(f"delete {what}", page.locator("#conversations button").nth(place))
        await walker.does(f"confirm to delete {what}", page.get_by_role("dialog").get_by_role("button", name="Delete"))
        await expect(person.conversations).to_have_count(count - 1)
        await expect(person.conversations.nth(next_place)).to_be_focused()


async def _other_tabs(walker: _Walker) -> None:
    """What they change while the focus is in it."""
    person = walker.person
    await walker.does("open", person.conversations.first)
    await person.hears_the_end()
    conversation_id = await person.conversation_id()
    other = await person.another_tab()
    await walker.page.bring_to_front()
    await walker.does("another tab renames", person.conversations.first, "Shift")
    await other.page.evaluate(
        """async (id) => {
            const { updateConversation } = await import("/page/client.js");
            await updateConversation(id, { title: "renamed" });
            new BroadcastChannel("chat").postMessage({ renamed: id, title: "renamed" });
        }""",
        conversation_id,
    )
    await expect(person.conversations.first).to_contain_text("renamed")
    await expect(person.conversations.first).to_be_focused()
    await walker.does("another tab says something", person.reply.get_by_role("button", name="Copy this reply"), "Shift")
    await other.say("from elsewhere")
    await expect(person.replies).to_have_count(2)
    await person.hears_the_end()
    await expect(person.message).to_be_focused()
    await walker.does("another tab deletes", person.reply.get_by_role("button", name="Copy this reply"), "Shift")
    await other.page.get_by_role("button", name="Delete “renamed”").click()
    await other.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(person.replies).to_have_count(0)
    await expect(person.message).to_be_focused()
    await other.page.close()


async def _a_long_conversation(walker: _Walker, conversation_id: str) -> None:
    """Loading it is tried again; the first of its earlier messages has the place of the button that loaded them."""
    person, page = walker.person, walker.page
    await page.route(f"**/{conversation_id}?*", lambda route: route.abort())
    await page.evaluate("(id) => { window.doing = 'open'; location.hash = id }", conversation_id)
    again = person.reply.get_by_role("button", name="Try again")
    await expect(again).to_be_visible()
    await page.unroute(f"**/{conversation_id}?*")
    await page.route(re.compile("cursor="), lambda route: route.abort())  # they come by themselves otherwise
    await walker.does("load again", again)
    await expect(person.sayings.last).to_contain_text("turn 24")
    await expect(person.message).to_be_focused()
    await walker.goes_to(page.locator("#earlier"))
    await expect(page.locator("#earlier")).to_contain_text("Try again")
    await page.unroute(re.compile("cursor="))
    await walker.does("earlier messages", page.locator("#earlier"))
    await expect(person.sayings).to_have_count(25)
    await expect(person.sayings.first).to_be_focused()
    await expect(person.sayings.first).to_be_in_viewport()
    latest = walker.button("Latest")
    await walker.press("Alt+Shift+M")  # on the way through the messages, they would be scrolled
    await walker.goes_to(latest)
    await page.evaluate("() => { window.doing = 'somebody scrolls down' }")
    await person.scroller.evaluate("(scroller) => { scroller.scrollTop = scroller.scrollHeight }")
    await expect(latest).to_be_hidden()
    await expect(person.message).to_be_focused()
    await walker.goes_to(person.reply.get_by_role("button", name="Copy this reply"))
    await page.evaluate("() => { window.doing = 'the conversation above' }")
    await walker.press("Alt+Shift+U")
    await expect(person.replies).to_have_count(1)
    await expect(person.message).to_be_focused()


async def _deletion(walker: _Walker) -> None:
    """Of the open conversation, by its menu; and of all of them."""
    person = walker.person
    await walker.does("the menu again", walker.button("More about this conversation"))
    await walker.does("delete the open one", person.page.locator("#menu").get_by_role("button", name="Delete"))
    await walker.does("confirm that", person.page.get_by_role("dialog").get_by_role("button", name="Delete"))
    await expect(person.replies).to_have_count(0)
    await expect(person.message).to_be_focused()
    await walker.does("delete all", walker.button("Delete all"))
    await walker.does("confirm to delete all", walker.button("Delete all of them"))
    await expect(person.conversations).to_have_count(0)
    await expect(walker.button("New chat")).to_be_focused()


async def test_the_focus_is_never_lost(chromium: Browser) -> None:
    """Whatever takes away the element that has it: the user, a reply that ends, another tab."""
    with LiveServer(suggestions=f'["{_STALLING}"]'.replace("\n", "\\n")) as server:
        async with somebody(chromium, server.url) as person:
            walker = _Walker(person)
            await expect(walker.button(_STALLING)).to_be_visible()
            await expect(person.message).to_be_focused()
            await person.page.evaluate(_WATCH)
            await _replies(walker)
            await _what_is_not_possible_yet(walker)
            await _messages(walker)
            await _dialogs(walker)
            long = await person.page.evaluate(_TALK)
            await person.page.evaluate(FILL, 19)
            await walker.press("Alt+Shift+O")
            await walker.says("the newest")
            await person.hears_the_end()
            await _search(walker)
            await _list(walker)
            await _other_tabs(walker)
            await _a_long_conversation(walker, long)
            await _deletion(walker)
            await until(person.page, "new Promise(requestAnimationFrame)")
            assert await person.page.evaluate("lost") == []
