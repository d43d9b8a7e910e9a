"""The bot is tested on uvloop, like the server."""

import logging

import pytest


@pytest.fixture(scope="package")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Tests that depend on how a loop chunks incoming data also use asyncio's own loop."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(autouse=True)
def _talkative(caplog: pytest.LogCaptureFixture) -> None:
    """Capture everything that an operator would see by default."""
    caplog.set_level(logging.INFO)
