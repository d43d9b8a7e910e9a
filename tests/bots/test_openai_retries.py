"""The bot retries only if that is harmless; otherwise the client is told when to retry."""

import asyncio
import email.utils
import time
from collections.abc import Callable

import pytest

from app.chat.errors import BotFailed, BotRateLimited, BotUnavailable, ChatError
from tests.bots.asking import TALK, WHOLE, ask, asking, hear
from tests.bots.faults import CANARY
from tests.support.completions import answer, begun, stream
from tests.support.engine import CLOSE, RESET, FakeEngine, Script, Step

_AT_ONCE = {"Retry-After": "0"}


@pytest.mark.parametrize(
    "first",
    [
        [RESET],
        [CLOSE],
        [b"HTTP/1.1 200 OK\r\nContent-", CLOSE],
        answer(503),
        answer(503, b"", _AT_ONCE),
        answer(429, b"", _AT_ONCE),
    ],
    ids=["resets", "closes", "closes inside the head", "503", "503, come back at once", "429, come back at once"],
)
async def test_what_cannot_have_been_answered_is_asked_once_more(first: Script) -> None:
    """The engine has not started, or says so. One retry is enough; further ones are up to the client."""
    heard, requests = await hear(first, WHOLE, conversation=TALK)
    assert (heard.error, heard.text, requests) == (None, "Hi there!", 2)
    _, requests = await hear(first)
    assert requests == 2


async def test_the_second_request_is_the_first_one_again() -> None:
    """Nothing is lost."""
    engine = FakeEngine([RESET], WHOLE)
    async with asking(engine, api_key="key") as bot:
        await ask(bot, TALK)
    first, second = engine.exchanges
    assert (first.path, first.headers, first.body) == (second.path, second.headers, second.body)


async def test_a_connection_that_has_gone_stale_costs_no_reply() -> None:
    """The engine or a proxy closes idle ones just as the next request is sent."""
    engine = FakeEngine(WHOLE, [RESET], WHOLE)
    async with asking(engine) as bot:
        assert (await ask(bot)).text == "Hi there!"
        heard = await ask(bot)
    assert (heard.error, heard.text) == (None, "Hi there!")


@pytest.mark.parametrize(
    "first",
    [
        *[answer(status) for status in (400, 401, 404, 408, 500, 502, 504)],
        answer(429, b"", {"Retry-After": "2"}),
        answer(503, b"", {"Retry-After": "30"}),
        begun(RESET),
        begun(),
        (),
        [*begun(), b"x\r\n"],
        stream(),
    ],
    ids=[
        *("400", "401", "404", "408", "500", "502", "504", "429, come back later", "503, come back later"),
        *("resets behind the head", "silent behind the head", "silent", "breaks HTTP", "ends"),
    ],
)
async def test_what_may_have_been_answered_is_not_asked_again(first: list[Step]) -> None:
    """A retry would cost twice, or come too early."""
    heard, requests = await hear(first, WHOLE, first_byte_seconds=0.1, first_token_seconds=0.1)
    assert heard.error is not None
    assert requests == 1


@pytest.mark.parametrize(
    ("status", "kind"), [(429, BotRateLimited), (503, BotUnavailable), (529, BotUnavailable)], ids=["429", "503", "529"]
)
async def test_retry_after_is_passed_on(status: int, kind: type[ChatError]) -> None:
    """The client can wait instead."""
    heard, requests = await hear(answer(status, b"", {"Retry-After": " 7 "}))
    assert type(heard.error) is kind
    assert (heard.error.retry_after_seconds, requests) == (7, 1)


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        (lambda: email.utils.formatdate(time.time() + 3600, usegmt=True), 1800, 3600),
        (lambda: "Fri, 31 Dec 9999 23:59:59 GMT", 2, 86_400),
        (lambda: "9" * 5000, 2, 86_400),
        (lambda: "0", 1, 1),
        (lambda: "30.5", 31, 31),
        (lambda: "7s", 7, 7),
        (lambda: "Wed, 21 Oct 2015 07:28:00 GMT", 1, 1),
    ],
    ids=["in an hour", "the last day of all", "many digits", "at once", "a part of a second", "s", "in the past"],
)
async def test_retry_after_is_told_as_the_contract_has_it(value: Callable[[], str], least: int, most: int) -> None:
    """A whole number of seconds, from 1 to a day."""
    heard, _ = await hear(answer(429, b"", {"Retry-After": value()}))
    assert isinstance(heard.error, BotRateLimited)
    assert heard.error.retry_after_seconds is not None
    assert least <= heard.error.retry_after_seconds <= most


async def test_a_retry_after_that_is_not_understood_is_as_none() -> None:
    """There is one retry, and then the default."""
    values = (
        *("", "soon", "-1", "1.5.5", "٣", "3,4", "01 01 01 01 01", "Wed, 99 Foo 2015 77:28:00 GMT"),
        *("Wed, 21 Oct 99999 07:28:00 GMT", "Wed, 21 Oct 2015 07:28:00 +99999999999999999999"),
    )
    replies = await asyncio.gather(*[hear(answer(429, b"", {"Retry-After": value})) for value in values])
    for value, (heard, requests) in zip(values, replies, strict=True):
        assert isinstance(heard.error, BotRateLimited), value
        assert (heard.error.retry_after_seconds, requests) == (1, 2), value


@pytest.mark.parametrize(
    ("headers", "error", "seconds"),
    [
        ({"retry-after-ms": "30000"}, {}, 30),
        ({"retry-after-ms": "1500.5", "Retry-After": "9"}, {}, 2),
        ({}, {"message": f"{CANARY} Please try again in 7.66s."}, 8),
        ({}, {"message": f"{CANARY} Please try again in 1m2.5s. {CANARY}"}, 63),
        ({}, {"message": CANARY, "details": [{"@type": "type/RetryInfo", "retryDelay": "30s"}]}, 30),
        ({}, {"message": CANARY, "metadata": {"retry_after": 12}}, 12),
        ({"Retry-After": "3"}, {"message": "try again in 40s"}, 3),
    ],
    ids=["ms", "ms before seconds", "words", "minutes", "Google's details", "a field", "the header wins"],
)
async def test_retry_after_is_understood_wherever_it_is_said(
    headers: dict[str, str], error: dict[str, object], seconds: int
) -> None:
    """Azure sends milliseconds, Google has details, OpenAI and Groq write it into the message."""
    heard, requests = await hear(answer(429, {"error": error}, headers), WHOLE)
    assert isinstance(heard.error, BotRateLimited)
    assert (heard.error.retry_after_seconds, requests) == (seconds, 1)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("try again in 2 mins", 120),
        ("try again in 1.5 minutes.", 90),
        ("Please retry after 1 hr 30 min", 5400),
        ("retry in 0.5h", 1800),
        ("try again in 1 day", 86_400),
        ("try again in 2d3h", 86_400),
        ("wait 1 hour, 2 minutes and 3 seconds, 4 s are over", 3723),
        ("again in 1,200 seconds", 1200),
        ("try again in .5 minutes", 30),
        ("try again in 2500 milliseconds", 3),
        ("Please wait for 40 SECS before the next request", 40),
        ("12 requests wait 3 deep. Please try again after 45s", 45),
        ("retry after 30", 30),
        ("(wait 30), 5 of 5 used", 30),
        ("retry after 20.\nRequest 7", 20),
    ],
)
async def test_a_wait_is_read_with_its_units(said: str, seconds: int) -> None:
    """A wait that is read as too short makes clients retry in vain; the contract's limit is a day."""
    heard, requests = await hear(answer(429, {"error": {"message": said}}))
    assert isinstance(heard.error, BotRateLimited)
    assert (heard.error.retry_after_seconds, requests) == (seconds, 1)


@pytest.mark.parametrize("field", ["message", "retry_after"])
@pytest.mark.parametrize(
    "moment",
    [
        *("2024-05-01", "2024-05-01T10:00:00Z", "2024.05.01", "5/1/2024", "10:30", "21 Oct 2026", "-5"),
        *("3 more requests", "2 fortnights", "1-2 minutes", "5_000"),
    ],
)
async def test_a_number_that_is_no_wait_is_not_taken_for_seconds(moment: str, field: str) -> None:
    """A date, a time, a count: there is one retry, and then the default."""
    said = f"retry after {moment}" if field == "message" else moment
    heard, requests = await hear(answer(429, {"error": {field: said}}))
    assert isinstance(heard.error, BotRateLimited)
    assert (heard.error.retry_after_seconds, requests) == (1, 2)


async def test_a_wait_of_a_moment_is_waited_for() -> None:
    """30 ms is not worth passing on."""
    heard, requests = await hear(answer(429, {}, {"retry-after-ms": "30"}), WHOLE)
    assert (heard.error, heard.text, requests) == (None, "Hi there!", 2)


@pytest.mark.parametrize(
    "refusal",
    [answer(400, {"error": "no"}), answer(400, ["no"]), answer(400, b"\xff\xfe"), answer(500, {"error": {"code": 7}})],
    ids=["words", "list", "no UTF-8", "500"],
)
async def test_a_refusal_that_nobody_understands_is_a_failure(refusal: Script) -> None:
    """Only the operator can fix it, with the engine's log."""
    heard, requests = await hear(refusal, conversation=TALK)
    assert (type(heard.error), requests) == (BotFailed, 1)
