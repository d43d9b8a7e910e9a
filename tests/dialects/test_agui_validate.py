"""A stranger's validator, `ag-ui-validate`, finds nothing wrong with our runs."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from ag_ui_validate import transport

from tests.support.addresses import cancel_of
from tests.support.agui import AG_UI, agui_asked, users
from tests.support.server import LiveServer

_RUNS = {
    "words": "/simulate pace_ms=5 repeat=20\none two ",
    "no word": "/simulate first_ms=200\n",
    "a failure": "/simulate pace_ms=20 fail_after=2\none two three",
    "a cancelled reply": "/simulate pace_ms=20 repeat=1000\none two ",
}


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """One server for all runs; each begins before its first word."""
    with LiveServer(first_word_seconds=0.01) as server:
        yield server


@pytest.mark.parametrize("what", _RUNS)
async def test_a_run_has_no_findings(what: str, server: LiveServer) -> None:
    """Neither errors nor warnings nor remarks, as it comes from the service."""
    types: list[str] = []
    cancelling: list[threading.Thread] = []

    def on_event(raw: str, _: object) -> None:
        event: dict[str, Any] = json.loads(raw)
        if event["type"] not in types:
            types.append(event["type"])
            if what == "a cancelled reply" and event["type"] == "TEXT_MESSAGE_CONTENT":
                cancelling.append(
                    threading.Thread(target=httpx.post, args=[server.url + cancel_of(event["messageId"])])
                )
                cancelling[0].start()

    asked = agui_asked(users(_RUNS[what]), threadId=what.replace(" ", "-"))
    options = transport.TransportOptions(input=asked, on_event=on_event, timeout_ms=60_000)
    result = await transport.validate_endpoint(f"{server.url}{AG_UI}", options)
    for thread in cancelling:
        thread.join()
    assert result.report.diagnostics == []
    assert result.report.internal_errors == []
    assert result.report.features["agentic-chat"] == "exercised"
    assert types[-1] == ("RUN_ERROR" if what == "a failure" else "RUN_FINISHED")
