"""The remaining rate is reported as documented."""

from dataclasses import replace

import pytest

from app.main import create_app
from tests.contract.asking import Request, chat, run
from tests.contract.document import HEADS, OPERATIONS, PLACES, STATUSES, check_response, resolved
from tests.contract.refusals import GUARDED, OPEN, asked_of
from tests.support.asgi import Client, Whole
from tests.support.settings import Settings


async def ask(client: Client, asked: Request) -> Whole:
    """Send a request."""
    return await client.request(asked.method, asked.path, content=asked.content.encode(), headers=asked.headers)


@pytest.mark.parametrize("operation_id", GUARDED)
async def test_the_rate_is_told_as_the_document_has_it(operation_id: str) -> None:
    """Each response has the number of remaining requests; the refusal, when there are more."""
    async with Client(create_app(Settings(bot="simulator", requests_per_minute=3))) as client:
        hello = await ask(client, run("hello"))
        ids = {name: hello.headers[name.replace("_", "-")] for name in ("reply_id", "conversation_id")}
        path, guarded = PLACES[operation_id][1].format(**ids), GUARDED[operation_id]
        asked = replace(guarded, path="?".join([path, *guarded.path.split("?")[1:]]))
        second, third, fourth = [await ask(client, asked) for _ in range(3)]
    good = 204 if operation_id in {"resumeUiChat", "headUiChat"} else min(STATUSES[operation_id])  # nothing runs
    assert [second.status, fourth.status] == [good, 429]
    for answer, left in ((hello, 2), (second, 1), (third, 0), (fourth, 0)):
        check_response(answer, "runAgent" if answer is hello else operation_id)
        assert answer.headers["ratelimit-policy"] == '"requests";q=3;w=60'
        assert answer.headers["ratelimit"].startswith(f'"requests";r={left};t=')
    assert fourth.headers["ratelimit"].endswith(f";t={fourth.headers['retry-after']}")
    assert 1 <= int(fourth.headers["retry-after"]) <= 60


async def test_what_is_not_limited_says_nothing_of_limits() -> None:
    """Load balancers request health often; and without a configured limit, there is none to report."""
    async with Client(create_app(Settings(requests_per_minute=1))) as client:
        for operation_id in OPEN:
            for _ in range(3):
                answer = await ask(client, asked_of(operation_id))
                assert answer.status == 200
                assert "ratelimit" not in answer.headers
    async with Client(create_app(Settings(streams_per_client=1))) as client:
        assert "ratelimit" not in (await ask(client, chat("hello"))).headers


def test_every_good_answer_of_a_guarded_operation_has_the_rate_in_the_document() -> None:
    """And the refusal; no other response needs it."""
    limits = {"RateLimit", "RateLimit-Policy"}
    for operation_id in PLACES.keys() - HEADS.values():
        for status, response in OPERATIONS[operation_id]["responses"].items():
            expected = operation_id in GUARDED and (status.startswith("2") or status == "429")
            assert limits & resolved(response)["headers"].keys() == (limits if expected else set())
