"""A program that runs Firefox for a client of WebDriver BiDi that is newer than it.

Playwright follows the newest Firefox, and distributions ship the one with extended support. That may not know a command
of the module `emulation` that every session begins with, and tells of a download without an id. So this passes their
messages on, and says that such a command is done, for what Firefox cannot emulate is left as it is;
a download's id is its URL.
"""

import asyncio
import json
import re
import stat
import sys
from pathlib import Path

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web

_LISTENS = re.compile(r"WebDriver BiDi listening on (ws://\S+)")
_LARGEST_BYTES = 2**28


def program(folder: Path, firefox: str) -> Path:
    """Make the program, for this Firefox."""
    made = folder / "firefox"
    made.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" "{firefox}" "$@"\n', "utf-8")
    made.chmod(stat.S_IRWXU)
    return made


async def _run(firefox: str, *options: str) -> None:
    process = await asyncio.create_subprocess_exec(firefox, *options, stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    async for line in process.stderr:
        if match := _LISTENS.search(line.decode()):
            await _listen(f"{match[1]}/session")
    sys.exit(await process.wait())


async def _listen(address: str) -> None:
    async def connected(request: web.Request) -> web.WebSocketResponse:
        client = web.WebSocketResponse(max_msg_size=_LARGEST_BYTES)
        await client.prepare(request)
        async with ClientSession() as session, session.ws_connect(address, max_msg_size=_LARGEST_BYTES) as firefox:
            answers = asyncio.create_task(_answer(firefox, client))
            async for message in client:
                if message.type is WSMsgType.TEXT:
                    await firefox.send_str(message.data)
            answers.cancel()
        return client

    application = web.Application()
    application.router.add_get("/session", connected)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    sys.stderr.write(f"WebDriver BiDi listening on ws://127.0.0.1:{runner.addresses[0][1]}\n")
    sys.stderr.flush()


async def _answer(firefox: ClientWebSocketResponse, client: web.WebSocketResponse) -> None:
    async for message in firefox:
        told = json.loads(message.data)
        if told.get("error") == "unknown command" and "emulation." in told["message"]:
            told = {"type": "success", "id": told["id"], "result": {}}
        elif str(told.get("method")).startswith("browsingContext.download"):
            told["params"].setdefault("download", told["params"]["url"])
        await client.send_str(json.dumps(told))
    await client.close()


if __name__ == "__main__":
    asyncio.run(_run(*sys.argv[1:]))
