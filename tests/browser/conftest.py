"""What these tests share: a browser, and a service to look at."""

from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.async_api import Browser

from tests.support.browser import browser
from tests.support.server import LiveServer


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """One for all; each test has a profile of its own in it."""
    async with browser() as launched:
        yield launched


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """The service, with the simulator, which says what one wants to hear."""
    with LiveServer() as server:
        yield server
