"""The bot is tried on uvloop, as the server runs."""

import logging

import pytest


@pytest.fixture(scope="package")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Tests that depend on the portions in which a loop hands over what has come try asyncio's own as well."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(autouse=True)
def _talkative(caplog: pytest.LogCaptureFixture) -> None:
    """All that an operator would read by default."""
    caplog.set_level(logging.INFO)
