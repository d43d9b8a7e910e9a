"""A real browser, Chromium without a window, told what to do over its DevTools protocol."""

import asyncio
import itertools
import json
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import anyio
import pytest

_PATIENCE_SECONDS = 60.0
_LISTENS = re.compile(rb"ws://([^/]+)/")
_FLAGS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--remote-debugging-port=0",
    "--window-size=1400,2000",
)
_NOTE_VIOLATIONS = """
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (event) =>
      window.violations.push([event.effectiveDirective, event.blockedURI]));
"""


class Tab:
    """One page after the other."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """`socket` is connected to the tab."""
        self._socket = socket
        self._numbers = itertools.count(1)

    async def go(self, url: str) -> None:
        """Open a page, and wait for what it loads with itself."""
        await self._call("Page.navigate", url=url)
        await self.until(f"document.readyState === 'complete' && location.href === {json.dumps(url)}")

    async def run(self, script: str) -> Any:  # noqa: ANN401 - whatever it gives, which JSON can say
        """What an expression gives, or the promise that it gives.

        Raises `AssertionError` for an exception.
        """
        answer = await self._call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"]["exception"].get("description", answer))
        return answer["result"].get("value")

    async def until(self, script: str) -> None:
        """Wait until an expression is true."""
        with anyio.fail_after(_PATIENCE_SECONDS):
            while not await self.run(script):  # noqa: ASYNC110 - a page has no event for everything
                await asyncio.sleep(0.05)

    async def _call(self, method: str, **parameters: object) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        with anyio.fail_after(_PATIENCE_SECONDS):
            while (answer := await self._socket.receive_json()).get("id") != number:
                pass
        result: dict[str, Any] = answer["result"]
        return result


@asynccontextmanager
async def browsing() -> AsyncIterator[Tab]:
    """A tab of a browser that knows nothing of the world. What the pages' policies forbid is in `window.violations`."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("pages are looked at with Chromium, and there is none on this machine")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # root has none
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="chat-browser-", ignore_cleanup_errors=True))
        process = await asyncio.create_subprocess_exec(
            program, *_FLAGS, *sandbox, f"--user-data-dir={folder}", "about:blank", stderr=asyncio.subprocess.PIPE
        )
        stack.push_async_callback(process.wait)
        stack.callback(process.kill)
        assert process.stderr is not None
        with anyio.fail_after(_PATIENCE_SECONDS):
            match = None
            while match is None:
                match = _LISTENS.search(await process.stderr.readline())
        draining = asyncio.ensure_future(process.stderr.read())
        stack.callback(draining.cancel)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        async with session.get(f"http://{match[1].decode()}/json") as response:
            address = next(tab["webSocketDebuggerUrl"] for tab in await response.json() if tab["type"] == "page")
        tab = Tab(await stack.enter_async_context(session.ws_connect(address, max_msg_size=0)))
        await tab._call("Page.enable")  # noqa: SLF001 - the other half of this module
        await tab._call("Page.addScriptToEvaluateOnNewDocument", source=_NOTE_VIOLATIONS)  # noqa: SLF001
        yield tab
