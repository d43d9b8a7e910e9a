"""Open WebUI's own page in Chromium, with the service as its only connection."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.async_api import Page, async_playwright
from said import BASE_URL, MESSAGE, STOP_SECONDS, TRIAL

START_SECONDS = 100
SECONDS = 60
SETTINGS = {
    "OPENAI_API_BASE_URL": BASE_URL,
    "OPENAI_API_KEY": "any",
    "ENABLE_OLLAMA_API": "False",
    "WEBUI_AUTH": "False",
    "WEBUI_SECRET_KEY": "any",
    # What would be asked for besides the message, or loaded from elsewhere.
    "ENABLE_TITLE_GENERATION": "False",
    "ENABLE_FOLLOW_UP_GENERATION": "False",
    "ENABLE_TAGS_GENERATION": "False",
    "OFFLINE_MODE": "True",
    "HF_HUB_OFFLINE": "1",
    "RAG_EMBEDDING_ENGINE": "openai",
    "AUDIO_STT_ENGINE": "openai",
}
CHAT = """async () => {
    const id = location.pathname.split("/c/")[1]; // it comes with the first message
    const headers = { Authorization: `Bearer ${localStorage.token}` };
    const response = id && (await fetch(`/api/v1/chats/${id}`, { headers }));
    if (!response?.ok) return null;
    const messages = Object.values((await response.json()).chat.history.messages);
    return messages.find((message) => message.role === "assistant");
}"""
"""The reply as it is stored, whose `done` is true at its end. The page shows it as Markdown."""


async def talk(url: str) -> dict[str, str]:
    async with async_playwright() as playwright:
        options = {"executable_path": shutil.which("chromium"), "args": ["--no-sandbox"]}
        page = await (await playwright.chromium.launch(**options)).new_page()
        await page.goto(url, timeout=SECONDS * 1000)
        await page.get_by_role("button", name="Okay, Let's Go!").click(timeout=SECONDS * 1000)
        await page.locator("#chat-input").click()
        await page.keyboard.insert_text(MESSAGE)
        await page.locator("#send-message-button").click()
        shown = page.locator(".chat-assistant")
        if TRIAL == "stop":
            await shown.get_by_text("one two three").first.wait_for()
            await page.get_by_role("button", name="Stop", exact=True).click()
            await asyncio.sleep(STOP_SECONDS)
        if TRIAL == "back":
            await shown.get_by_text("two").wait_for()
            await page.reload()
        return await reply(page)


async def reply(page: Page) -> dict[str, str]:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        said = await page.evaluate(CHAT)
        if said and (said.get("done") or TRIAL == "stop"):
            return {"text": said["content"], "error": "a note below the reply" if said.get("error") else ""}
        await asyncio.sleep(0.3)
    return {"text": "", "error": "no end"}


with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
folder = tempfile.mkdtemp()
server = subprocess.Popen(
    [str(Path(sys.executable).with_name("open-webui")), "serve", "--host", "127.0.0.1", "--port", str(port)],
    env=os.environ | SETTINGS | {"DATA_DIR": folder},
    cwd=folder,
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
    start_new_session=True,
)
try:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health"):
            break
        time.sleep(0.5)
    print(json.dumps(asyncio.run(talk(f"http://127.0.0.1:{port}/"))), flush=True)
finally:
    os.killpg(server.pid, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)
