"""What the tests of operators' commands share."""

from collections.abc import Callable

import pytest

from app.settings import Settings

Command = Callable[[list[str], Settings], int]
Run = Callable[..., tuple[int, str, str]]


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
