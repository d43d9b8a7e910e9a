"""Law 5: documented statuses are exactly the provoked ones, for each operation; each response is as documented.

`tests.contract.sending`, `reading` and `refusals` define how each is provoked. `HEAD` is sent in the same situations.
"""

from collections.abc import Iterator

import pytest

from tests.contract.agui import RUNNING_AGENTS
from tests.contract.asking import CANARY
from tests.contract.completing import COMPLETING, REFUSED
from tests.contract.document import OPENAI, PLACES, PROBLEMS, STATUSES, check_error, check_response
from tests.contract.reading import READING
from tests.contract.refusals import REFUSALS
from tests.contract.sending import SENDING
from tests.contract.stage import Stage
from tests.contract.ui import CHATTING_UI
from tests.contract.way import Way
from tests.support.agui import AG_UI, check_run
from tests.support.asgi import Whole
from tests.support.chunks import check_completion
from tests.support.stream import check_stream
from tests.support.ui import UI, check_ui

ALL = [*SENDING, *READING, *COMPLETING, *CHATTING_UI, *RUNNING_AGENTS, *REFUSALS]
OF_OPEN_STREAMS = {"too-many-streams", "stream-limit-reached"}
OF_ONE_REQUEST = {"date", "x-request-id", "ratelimit", "retry-after"}
OF_A_BODY = {"content-length", "transfer-encoding"}


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """For all tests of this module: situations with processes are created once."""
    with Stage() as stage:
        yield stage


@pytest.mark.parametrize("way", ALL, ids=lambda way: f"{way.operation_id} {way.name}")
async def test_each_response_is_as_documented(way: Way, stage: Stage) -> None:
    """Status, media type, headers, schema and stream; a problem verbatim; nothing of what was sent or raised."""
    asked = way.provocation.asked
    async with way.provocation.situation(stage) as ask:
        answer = await ask(asked)
        headers = await ask(asked.head()) if way.head else None
    assert answer.status == way.status, answer.content
    if way.operation_id:
        check_response(answer, way.operation_id, after=way.read)
    if way.failed and not way.code and answer.status == 200:
        assert failure(answer, way) == way.failed
    if way.code:
        assert check_error(answer, asked.path) == f"urn:problem:{way.code}"
        assert CANARY not in repr(answer)
    if headers and way.head:
        check_response(headers, way.head)
        assert headers.content == b""
        if way.code in OF_OPEN_STREAMS:
            assert headers.status == 200
        else:
            assert headers.status == way.status
            assert comparable(headers) == comparable(answer)


def failure(answer: Whole, way: Way) -> str:
    """The problem that ends a stream."""
    if way.provocation.asked.path.startswith(OPENAI):
        return str((check_completion(answer.content).error or {})["code"])
    if way.provocation.asked.path.startswith(UI):
        said = check_ui(answer.content).error
        return next(code for code, problem in PROBLEMS.items() if problem["detail"] == said)
    if way.provocation.asked.path.startswith(AG_UI):
        return str(check_run(answer.content).code)
    return check_stream(answer.content, way.read).problem.type.removeprefix("urn:problem:")


@pytest.mark.parametrize("name", REFUSED)
async def test_what_openai_can_and_we_do_not_is_refused_by_its_name(name: str, stage: Stage) -> None:
    """In `param`, as OpenAI writes it."""
    (way,) = [way for way in COMPLETING if way.name == f"refused: {name}"]
    async with way.provocation.situation(stage) as ask:
        answer = await ask(way.provocation.asked)
    assert answer.json()["error"]["param"] == name


def comparable(answer: Whole) -> dict[str, str]:
    """The headers of a response, without those about a body, or that depend on the time."""
    headers = {name: value for name, value in answer.headers.items() if name not in OF_A_BODY}
    return headers | dict.fromkeys(headers.keys() & OF_ONE_REQUEST, "")


@pytest.mark.parametrize("operation_id", PLACES)
def test_the_documented_statuses_are_the_provoked_ones(operation_id: str) -> None:
    """None is documented that the service cannot send."""
    assert {way.status for way in ALL if operation_id in {way.operation_id, way.head}} == STATUSES[operation_id]


def test_every_problem_of_the_document_is_provoked() -> None:
    """None is documented that the service does not send."""
    assert {code for way in ALL for code in (way.code, way.failed) if code} == PROBLEMS.keys()
