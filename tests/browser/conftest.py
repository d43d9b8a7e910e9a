"""What these tests share: a browser, and a service to visit."""

from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.async_api import Browser, expect

from tests.support.browser import browser
from tests.support.server import LiveServer

expect.set_options(timeout=60_000)  # milliseconds: a busy machine must not fail a test


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """One browser for all tests; each test has its own profile in it."""
    async with browser() as launched:
        yield launched


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """The service with the simulator, whose replies the tests control."""
    with LiveServer() as server:
        yield server
