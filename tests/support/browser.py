"""Real browsers without a window: Chromium, and Firefox as distributions ship it."""

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

from tests.support import bidi
from tests.support.folder import folder

_PATIENCE_SECONDS = 60.0
_PAUSES_SECONDS = (0.05, 0.1, 0.2, 0.4)
"""Between looks at a page; the last one is repeated. To look costs time, in which the page cannot go on."""
_CHROMIUMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first one has no windows to draw, and costs a third less."""
_FEATURES_OFF = (
    # A renderer in reserve, and one for what the address bar suggests: each would be started for every window.
    *("SpareRendererForSitePerProcess", "WebUIOmniboxAimPopup", "WebUIOmniboxPopup"),
    # What Playwright itself turns off, and affects pages: Chromium takes only the last of these options.
    *("AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades", "LensOverlay"),
    *("HttpsFirstBalancedModeAutoEnable", "MediaRouter", "OptimizationHints", "PaintHolding", "PreconnectToSearch"),
    *("ThirdPartyStoragePartitioning", "AvoidCorsURLLoaderRestartOnRedirect", "NetworkTimeServiceQuerying"),
)
_FEATURES_ON = (
    # A page's fifty requests are a tenth cheaper if they do not pass through another process.
    "NetworkServiceInProcess2",
    # What Playwright itself turns on: Chromium takes only the last of these options, too.
    *("CDPScreenshotNewSurface", "SkipListAccountsWithoutGaiaCookies"),
)
_OPTIONS = (
    "--disable-gpu",
    "--in-process-gpu",  # a thread puts frames together: nothing is drawn with a GPU whose driver might fail
    f"--disable-features={','.join(_FEATURES_OFF)}",
    f"--enable-features={','.join(_FEATURES_ON)}",
)
_OLDEST_FIREFOX = 153
"""In older ones, the pages' policy also applies to the scripts of tests."""
_AS_ELSEWHERE: dict[str, str | float | bool] = {
    "layout.css.field-sizing.enabled": False,  # in older versions
    "accessibility.mouse_focuses_formcontrol": 0,  # on macOS: a button that is clicked has no focus
}
"""What other browsers have in common with this one, and Chromium has no switch for."""
_FRUGAL: dict[str, str | float | bool] = {
    "dom.ipc.processPrelaunch.enabled": False,  # no process in reserve: each would be started for every window
    "fission.autostart": False,  # one process for a tab, whose pages are all of one site
    "layout.frame_rate": 10,  # Firefox draws without a GPU, and everything anew in each frame, even if only words come
}
"""What tests do not look at, and costs a sixth of their time."""
_NOTE_VIOLATIONS = """
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (event) =>
      window.violations.push([event.effectiveDirective, event.blockedURI]));
"""


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """A fresh Chromium."""
    program = next(filter(None, map(shutil.which, _CHROMIUMS)), None)
    if program is None:
        pytest.skip("the pages are tested with Chromium, which is not installed on this machine")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # root has none
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=program, args=[*sandbox, *_OPTIONS])
        try:
            yield launched
        finally:
            await launched.close()


@asynccontextmanager
async def firefox() -> AsyncIterator[Browser]:
    """A fresh Firefox, driven with WebDriver BiDi: Playwright's other protocol needs a build of its own."""
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    if program is None:
        pytest.skip("the pages are also tested with Firefox, which is not installed on this machine")
    told = await anyio.run_process([program, "--version"])
    if int(told.stdout.decode().split()[-1].partition(".")[0]) < _OLDEST_FIREFOX:
        pytest.skip(f"the pages are also tested with Firefox {_OLDEST_FIREFOX} or newer, and this one is older")
    async with async_playwright() as playwright:
        launched = await playwright.firefox.launch(
            channel="moz-firefox",
            executable_path=bidi.program(folder(), program),
            firefox_user_prefs=_AS_ELSEWHERE | _FRUGAL,
        )
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
