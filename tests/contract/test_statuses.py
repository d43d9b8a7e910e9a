"""The fifth law: the documented statuses are the provoked ones, for each operation; and each response is as documented.

`tests.contract.ways` and `tests.contract.refusals` say how each is provoked.
"""

from collections.abc import Iterator

import pytest

from generated.models import Problem
from tests.contract.asking import CANARY
from tests.contract.document import PLACES, PROBLEMS, STATUSES, check_problem, check_response
from tests.contract.refusals import REFUSALS
from tests.contract.stage import Stage
from tests.contract.ways import WAYS, Way
from tests.support.stream import check_stream

ALL = [*WAYS, *REFUSALS]


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """For all tests of this module: what takes processes is set once."""
    with Stage() as stage:
        yield stage


@pytest.mark.parametrize("way", ALL, ids=lambda way: f"{way.operation_id} {way.name}")
async def test_each_response_is_as_documented(way: Way, stage: Stage) -> None:
    """Status, media type, headers, schema and stream; a problem to the letter; no word of what was sent or raised."""
    answer = await way.provoke(stage)
    assert answer.status == way.status, answer.content
    if way.operation_id:
        check_response(answer, way.operation_id, after=way.read)
    if way.failed:
        assert check_stream(answer.content, way.read).end == Problem.model_validate(PROBLEMS[way.failed])
    if way.code:
        assert check_problem(answer).type == f"urn:problem:{way.code}"
        assert CANARY not in repr(answer)


@pytest.mark.parametrize("operation_id", PLACES)
def test_the_documented_statuses_are_the_provoked_ones(operation_id: str) -> None:
    """None is documented that the service cannot send."""
    assert {way.status for way in ALL if way.operation_id == operation_id} == STATUSES[operation_id]


def test_every_problem_of_the_document_is_provoked() -> None:
    """None is described that the service does not send."""
    assert {way.code for way in ALL if way.code} == PROBLEMS.keys()
