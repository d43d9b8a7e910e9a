"""A real browser: headless Chromium."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import chain, repeat
from typing import Any

import anyio
import pytest
from playwright.async_api import Browser, Page, async_playwright

_PATIENCE_SECONDS = 60.0
_PAUSES_SECONDS = (0.05, 0.1, 0.2, 0.4)
"""Between looks at a page; the last one is repeated. To look costs time, in which the page cannot go on."""
_FEATURES_OFF = (
    # A renderer in reserve, and one for what the address bar suggests: each would be started for every window.
    *("SpareRendererForSitePerProcess", "WebUIOmniboxAimPopup", "WebUIOmniboxPopup"),
    # What Playwright itself turns off, and affects pages: Chromium takes only the last of these options.
    *("AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades", "LensOverlay"),
    *("HttpsFirstBalancedModeAutoEnable", "MediaRouter", "OptimizationHints", "PaintHolding", "PreconnectToSearch"),
    *("ThirdPartyStoragePartitioning", "AvoidCorsURLLoaderRestartOnRedirect", "NetworkTimeServiceQuerying"),
)
_NOTE_VIOLATIONS = """
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (event) =>
      window.violations.push([event.effectiveDirective, event.blockedURI]));
"""


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """A fresh browser."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("the pages are tested with Chromium, which is not installed on this machine")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # root has none
    options = [*sandbox, "--disable-gpu", f"--disable-features={','.join(_FEATURES_OFF)}"]
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=program, args=options)
        try:
            yield launched
        finally:
            await launched.close()


@asynccontextmanager
async def visitor(browser: Browser, **options: Any) -> AsyncIterator[Page]:  # noqa: ANN401 - Playwright's, passed on
    """A tab of a new visitor. Violations of the pages' policies are in `window.violations`.

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
    """A tab in a browser of its own."""
    async with browser() as launched, visitor(launched, **options) as page:
        yield page


async def until(page: Page, expression: str) -> None:
    """Wait until an expression is true. Playwright's own way evaluates text in the page, which a policy forbids."""
    pauses = chain(_PAUSES_SECONDS, repeat(_PAUSES_SECONDS[-1]))
    with anyio.fail_after(_PATIENCE_SECONDS):
        while not await page.evaluate(expression):
            await asyncio.sleep(next(pauses))
