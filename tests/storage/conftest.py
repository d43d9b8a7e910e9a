"""What the tests of operators' commands share."""

from collections.abc import Callable

import pytest

from app.settings import Settings
from tests.support.databases import KINDS, empty_database_url

Command = Callable[[list[str], Settings], int]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(params=KINDS)
def empty_url(request: pytest.FixtureRequest) -> str:
    """A database without any table; the test runs once on each kind."""
    return empty_database_url(request.param)


@pytest.fixture
def run(request: pytest.FixtureRequest, capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Runs the command of the module, its `COMMAND`; gives its exit status, and what it wrote to either stream."""
    command: Command = request.module.COMMAND

    def run(database_url: str, *arguments: str) -> tuple[int, str, str]:
        try:
            status = command(list(arguments), Settings(database_url=database_url))
        except SystemExit as end:
            status = int(str(end.code))
        written = capsysbinary.readouterr()
        return status, written.out.decode(), written.err.decode()

    return run
