"""The bot is tried on uvloop, as the server runs."""

import pytest


@pytest.fixture(scope="package")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Tests that depend on the portions in which a loop hands over what has come try asyncio's own as well."""
    return "asyncio", {"use_uvloop": True}
