"""The pages of docs/examples, from another site than the service's, in a browser."""

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.docs.pages import ROOT
from tests.support.addresses import conversation_at
from tests.support.browser import browser, visitor
from tests.support.cable import Cable
from tests.support.node import packages
from tests.support.server import LiveServer

_EXAMPLES = ROOT / "docs" / "examples"
_PAGES = ["plain", "deep-chat"]
_SERVICE = "http://127.0.0.1:8000"
_GREETING = "Hi there! How can I help you today?"
_LONGEST = 100


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """What `python3 -m http.server --directory docs/examples` serves."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=_EXAMPLES)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def service(site: str) -> Iterator[LiveServer]:
    """It allows that site."""
    allowed = json.dumps([site])
    with LiveServer(
        allowed_origins=allowed, bot="greeter", greeter_pace_ms=200, max_message_characters=_LONGEST
    ) as server:
        yield server


@pytest.fixture(scope="module")
async def chromium() -> AsyncGenerator[Browser, None]:
    """One for all."""
    async with browser() as launched:
        yield launched


class _Visitor:
    """Somebody at one of the pages."""

    def __init__(self, page: Page, name: str) -> None:
        self.page = page
        self._is_plain = name == "plain"
        self.replies = page.locator("p.theirs" if self._is_plain else ".ai-message-text")

    async def say(self, text: str) -> None:
        """Send a message of one line."""
        if self._is_plain:
            await self.page.get_by_label("Message").fill(text)
        else:
            await self.page.locator("#text-input").fill(text)
        await self.page.keyboard.press("Enter")

    async def stop(self) -> None:
        """Press the button."""
        if self._is_plain:
            await self.page.get_by_role("button", name="Stop").click()
        else:
            await self.page.locator(".input-button").last.click()


@asynccontextmanager
async def _visiting(chromium: Browser, name: str, site: str, service: str) -> AsyncIterator[_Visitor]:
    """At the page, whose script asks this service; its component comes from the package of the same version."""
    script = (_EXAMPLES / "ask.js").read_text("utf-8")
    assert script.count(_SERVICE) == 1
    script = script.replace(_SERVICE, service)
    async with visitor(chromium) as page:
        await page.route("**/ask.js", lambda route: route.fulfill(body=script, content_type="text/javascript"))
        await page.route(re.compile("^https:"), lambda route: route.abort())  # a font
        await page.route(
            re.compile("^https://cdn"),
            lambda route: route.fulfill(
                path=_bundle(route.request.url),
                headers={"Access-Control-Allow-Origin": "*", "Content-Type": "text/javascript"},
            ),
        )
        await page.goto(f"{site}/{name}.html")
        yield _Visitor(page, name)


def _bundle(url: str) -> Path:
    match = re.fullmatch(r"https://cdn\.jsdelivr\.net/npm/([\w-]+)@([\d.]+)/(.*)", url)
    assert match is not None
    package, version, path = match.groups()
    folder = packages() / package
    assert json.loads((folder / "package.json").read_text("utf-8"))["version"] == version
    return folder / path


async def _told(service: LiveServer) -> list[dict[str, str]]:
    """The messages of the newest conversation."""
    async with httpx.AsyncClient(base_url=service.url) as client:
        newest = (await client.get("/api/conversations")).json()["conversations"][0]
        messages: list[dict[str, str]] = (await client.get(conversation_at(newest["conversation_id"]))).json()[
            "messages"
        ]
    return messages


async def test_a_page_does_not_ask_for_ever(chromium: Browser, site: str, service: LiveServer) -> None:
    """Of a proxy, perhaps, that ends each stream as if that were its end."""
    asked: list[str] = []
    async with _visiting(chromium, "plain", site, service.url) as guest:

        async def cut(route: Route) -> None:
            asked.append(route.request.method)
            headers = {"Access-Control-Allow-Origin": site, "Access-Control-Allow-Headers": "*"}
            await route.fulfill(headers=headers, content_type="text/event-stream", body="")

        await guest.page.route("**/api/chat", cut)
        await guest.say("hello")
        await expect(guest.replies.last).to_contain_text("the stream ended", timeout=60_000)
        assert asked.count("POST") == 6


@pytest.mark.parametrize("name", _PAGES)
async def test_a_page_shows_each_word_once_through_cuts(
    name: str, chromium: Browser, site: str, service: LiveServer
) -> None:
    """And goes on in the same conversation."""
    async with Cable(service.port) as cable, _visiting(chromium, name, site, cable.url) as guest:
        await guest.say("hello")
        await expect(guest.replies.last).to_contain_text("there!")
        cable.shake()
        await expect(guest.replies.last).to_have_text(_GREETING)
        await guest.say("hello")
        await expect(guest.replies).to_have_count(2)
        await expect(guest.replies.last).to_have_text(_GREETING)
    told = await _told(service)
    assert [message["text"] for message in told] == ["hello", _GREETING, "hello", _GREETING]


@pytest.mark.parametrize("name", _PAGES)
async def test_a_page_stops_a_reply(name: str, chromium: Browser, site: str, service: LiveServer) -> None:
    """The service knows, and the page can ask again."""
    async with _visiting(chromium, name, site, service.url) as guest:
        await guest.say("hello")
        await expect(guest.replies.last).to_contain_text("Hi")
        await guest.stop()
        await guest.say("hello")
        await expect(guest.replies).to_have_count(2)
        await expect(guest.replies.last).to_have_text(_GREETING)
    told = await _told(service)
    assert [message.get("state") for message in told] == [None, "cancelled", None, "completed"]


@pytest.mark.parametrize("name", _PAGES)
async def test_a_page_says_what_is_wrong(name: str, chromium: Browser, site: str, service: LiveServer) -> None:
    """In the service's words."""
    async with _visiting(chromium, name, site, service.url) as guest:
        await guest.say("x" * (_LONGEST + 1))
        await expect(guest.page.get_by_text(re.compile("too long|at most"))).to_be_visible()


async def test_the_plain_page_shows_the_text_as_it_is(chromium: Browser, site: str) -> None:
    """Line separators, fields of events, and white space are text."""
    text = "one  two\u2028three data: x event: done \u2029 今日は \U0001f469\u200d\U0001f4bb <b>four</b>"
    with LiveServer(allowed_origins=json.dumps([site])) as server:
        async with _visiting(chromium, "plain", site, server.url) as guest:
            await guest.say(text)
            await expect(guest.page.get_by_role("button", name="Stop")).to_be_disabled()
            assert await guest.replies.last.evaluate("shown => shown.textContent") == text
