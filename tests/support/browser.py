"""A real browser, Chromium without a window."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from playwright.async_api import Browser, Page, async_playwright

_PATIENCE_SECONDS = 60.0
_NOTE_VIOLATIONS = """
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (event) =>
      window.violations.push([event.effectiveDirective, event.blockedURI]));
"""


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """One that knows nothing of the world."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("pages are looked at with Chromium, and there is none on this machine")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # root has none
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=program, args=[*sandbox, "--disable-gpu"])
        try:
            yield launched
        finally:
            await launched.close()


@asynccontextmanager
async def visitor(browser: Browser, **options: Any) -> AsyncIterator[Page]:  # noqa: ANN401 - Playwright's, passed on
    """A tab of somebody who has not been here before. What the pages' policies forbid is in `window.violations`.

    Raises `AssertionError` at the end if a script of a page failed.
    """
    context = await browser.new_context(**options)
    await context.add_init_script(_NOTE_VIOLATIONS)
    failures: list[str] = []
    context.on("weberror", lambda error: failures.append(str(error.error)))
    try:
        yield await context.new_page()
    finally:
        await context.close()
    assert not failures


@asynccontextmanager
async def browsing(**options: Any) -> AsyncIterator[Page]:  # noqa: ANN401 - see `visitor`
    """A tab of a browser of its own."""
    async with browser() as launched, visitor(launched, **options) as page:
        yield page


async def until(page: Page, expression: str) -> None:
    """Wait until it is true. Playwright has its own way, which compiles text in the page: a policy forbids that."""
    with anyio.fail_after(_PATIENCE_SECONDS):
        while not await page.evaluate(expression):
            await asyncio.sleep(0.05)
