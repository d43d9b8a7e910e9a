"""Pages of other sites in a browser: they can do what the operator allows, and nothing else."""

import json
from typing import Any

from playwright.async_api import Page, expect

from tests.support.browser import browsing
from tests.support.issuer import Issuer, answer
from tests.support.server import LiveServer

_PAGE = b"<!doctype html><title>Another site</title><form method=post enctype=text/plain><input name=x></form>"

_ASK = """
    fetch(URL + "/api/chat", {
      method: "POST",
      headers: { "Content-Type": "application/json", "Idempotency-Key": "k" + Math.random() },
      body: JSON.stringify({ user_message: "MESSAGE" }),
    }).then(async (response) => [response.status, await response.text(), response.headers.get("Content-Location")])
      .catch((error) => error.name)
"""
_SIMPLE = """
    fetch(URL + "/api/chat", { method: "POST", mode: "no-cors", body: JSON.stringify({ user_message: "simple" }) })
      .then((response) => response.type).catch((error) => error.name)
"""
_SEND_FORM = "document.forms[0].action = URL + '/api/chat'; document.forms[0].submit()"
_READ = "fetch(URL + '/api/conversations').then((response) => response.json()).catch((error) => error.name)"


def _script(text: str, server: LiveServer, message: str = "") -> str:
    return text.replace("URL", json.dumps(server.url)).replace("MESSAGE", message)


async def _titles(tab: Page, server: LiveServer) -> list[str]:
    """The titles, as seen by a page of the server itself."""
    await tab.goto(f"{server.url}/api/health")
    page: dict[str, Any] = await tab.evaluate(_script(_READ, server))
    return [conversation["title"] for conversation in page["conversations"]]


async def test_a_page_of_another_site_can_do_what_the_operator_allows() -> None:
    """An allowed origin can send, read and resume. Another one sees nothing and changes nothing, in any way."""
    with Issuer() as pages:
        pages.handler = answer(_PAGE, content_type="text/html")
        allowed, other = f"http://localhost:{pages.port}", f"http://127.0.0.1:{pages.port}"
        with LiveServer(allowed_origins=json.dumps([allowed])) as server:
            async with browsing() as tab:
                await tab.goto(f"{allowed}/")
                status, events, place = await tab.evaluate(_script(_ASK, server, "from an allowed page"))
                assert status == 200
                assert "event: done" in events
                again = f"fetch(new URL('{place}', '{server.url}/api/chat')).then((response) => response.text())"
                assert await tab.evaluate(again) == events
                await tab.goto(f"{other}/")
                assert await tab.evaluate(_script(_ASK, server, "from another page")) == "TypeError"
                assert await tab.evaluate(_script(_SIMPLE, server)) == "opaque"
                assert await tab.evaluate(_script(_READ, server)) == "TypeError"
                await tab.evaluate(_script(_SEND_FORM, server))
                await expect(tab.locator("body")).to_contain_text("urn:problem:cross-site")
                assert await _titles(tab, server) == ["from an allowed page"]
