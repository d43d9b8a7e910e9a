"""Runs the page of a client in Chromium: `in_chromium.py BUNDLE [RUNTIME] URL TRIAL MESSAGE`.

The page is on the service's own site, or on that of a runtime, a program for Node between them.
"""

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Page, async_playwright
from said import BASE_URL, MESSAGE, STOP_SECONDS, TRIAL

SECONDS = 60
RELOADED = "back"


async def main(bundle: Path, runtime: Path | None = None) -> None:
    async with running(runtime) as site, async_playwright() as playwright:
        options = {"executable_path": shutil.which("chromium"), "args": ["--no-sandbox"]}
        page = await (await playwright.chromium.launch(**options)).new_page()
        await page.route(f"{site}/page", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
        await show(page, site, bundle, message=MESSAGE, resume=False)
        if TRIAL == RELOADED:
            await page.wait_for_function("window.said?.text.includes('two')", timeout=SECONDS * 1000)
            await show(page, site, bundle, message="", resume=True)
            await page.wait_for_function("window.said?.text", timeout=SECONDS * 1000)
        done = "window.said?.is_over && (window.said.text || window.said.error)"
        await page.wait_for_function(done, timeout=SECONDS * 1000)
        if TRIAL == "stop":
            await asyncio.sleep(STOP_SECONDS)
        print(json.dumps(await page.evaluate("window.said")), flush=True)


@asynccontextmanager
async def running(runtime: Path | None) -> AsyncIterator[str]:
    """The address of the site."""
    if runtime is None:
        yield "/".join(BASE_URL.split("/")[:3])
        return
    process = await asyncio.create_subprocess_exec("node", runtime, BASE_URL, stdout=asyncio.subprocess.PIPE)
    assert process.stdout  # noqa: S101 - it is piped
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.kill()
        await process.wait()


async def show(page: Page, site: str, bundle: Path, *, message: str, resume: bool) -> None:
    """Load the page; again, if it is there."""
    trial = {"api": f"{BASE_URL}/chat", "id": "trial", "message": message, "leaves": TRIAL == "stop", "resume": resume}
    await page.goto(f"{site}/page")
    await page.evaluate(f"window.trial = {json.dumps(trial)}")
    await page.add_script_tag(path=bundle)


asyncio.run(main(*map(Path, sys.argv[1:-3])))
