"""What all tests share: asyncio as the one event loop, a database, and how many examples a law is tried with."""

import os

import pytest
from hypothesis import settings

from app import logs
from app.settings import PREFIX
from tests.support.databases import KINDS, fresh_database_url, use


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--laws 10000` tries each law with so many examples; `--database postgresql` stores all conversations there."""
    parser.addoption("--laws", type=int, default=300, metavar="N", help="examples for each law (default: 300)")
    parser.addoption("--database", choices=KINDS, default=KINDS[0], help="where it does not matter (default: sqlite)")


def pytest_configure(config: pytest.Config) -> None:
    """Make the profile that the laws take: `@settings(settings.get_profile("laws"))`."""
    settings.register_profile("laws", max_examples=config.getoption("laws"), deadline=None)
    settings.register_profile("untimed", deadline=None)  # a busy machine is no reason to fail
    settings.load_profile("untimed")
    use(config.getoption("database"))
    logs.configure("error", "json")  # not a line for each of thousands of requests
    for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
        del os.environ[name]  # settings of whoever runs the tests are not for the tests


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The service runs on asyncio alone."""
    return "asyncio"


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh database; the test runs once on each kind."""
    return fresh_database_url(request.param)
