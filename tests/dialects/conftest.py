"""What these tests share: one application."""

from collections.abc import AsyncGenerator

import pytest

from app.main import create_app
from tests.support.asgi import Client
from tests.support.settings import Settings


@pytest.fixture(scope="module")
async def client() -> AsyncGenerator[Client, None]:
    """With the simulator, for all examples."""
    async with Client(create_app(Settings(bot="simulator"))) as client:
        yield client
