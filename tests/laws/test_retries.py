"""The law of retries: whatever was answered, a request retried until it succeeds leaves one reply, generated once.

And one message in one conversation; and with `Last-Event-ID`, exactly the same words.
"""

import itertools
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.chat.errors import BotFailed, BotRateLimited, BotTimeout, BotUnavailable
from tests.support.addresses import BOTH, CHAT, WHOLE
from tests.support.databases import fresh_database_url
from tests.support.insisting import Talk
from tests.support.laws import costly
from tests.support.retrying import Ask, AskLocked, Cancel, EndLocked, Op, Plan, Restart, Resume, Service
from tests.support.valkey import sharing

_PROFILE = settings.get_profile("laws")
_EXAMPLES = _PROFILE.max_examples or 0
_numbers = itertools.count(1)


@pytest.fixture(scope="module", params=[60, 0], ids=["from memory", "from the store"])
async def service(request: pytest.FixtureRequest) -> AsyncGenerator[Service, None]:
    """One for all examples."""
    async with Service(fresh_database_url(), retention_seconds=request.param) as service:
        yield service


@pytest.fixture(scope="module")
async def on_postgresql() -> AsyncGenerator[Service, None]:
    """As above, on PostgreSQL; two instances, which are asked in turn."""
    async with Service(fresh_database_url("postgresql"), 2, **sharing()) as service:
        yield service


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
async def impatient(request: pytest.FixtureRequest) -> AsyncGenerator[Service, None]:
    """A service with a short timeout for its database."""
    async with Service(fresh_database_url(request.param), storage_seconds=0.4) as service:
        yield service


async def _hold(service: Service, ops: list[Op]) -> None:
    number = next(_numbers)
    talk = Talk(service, tuple(f"{name}-{number}" for name in ("one", "two", "three")))
    for op in ops:
        await talk.do(op)
    await talk.insist()


_WHICH = st.integers(0, 2)
_ERRORS = st.sampled_from([BotFailed, BotUnavailable, BotRateLimited, BotTimeout, LookupError])
_PLANS = st.builds(Plan, st.integers(0, 3), st.booleans(), st.none() | _ERRORS)
_ASKS = st.builds(
    Ask,
    _WHICH,
    st.sampled_from(BOTH),
    st.booleans(),
    st.sampled_from(["never", "at once", "after the head", "after a word"]),
    st.booleans(),
)
_RESUMES = st.builds(Resume, _WHICH, st.sampled_from(["get", "query", "post"]))
_OPS: st.SearchStrategy[Op] = st.one_of(_PLANS, _ASKS, _ASKS, _RESUMES, st.builds(Cancel, _WHICH), st.builds(Restart))
_FAILS: list[Op] = [Plan(2, error=BotFailed), Ask(0, CHAT)]


@settings(_PROFILE, max_examples=max(10, _EXAMPLES // 2))
@given(st.lists(_OPS, min_size=1, max_size=10))
async def test_whatever_was_answered_a_retry_gets_one_reply(service: Service, ops: list[Op]) -> None:
    """Failures, cuts, cancellations and restarts, in any order, in three messages of a conversation."""
    await _hold(service, ops)


@costly(10)
@given(st.lists(_OPS, min_size=1, max_size=8))
async def test_at_two_instances_as_well(on_postgresql: Service, ops: list[Op]) -> None:
    """Rows are replaced in a different way there, and each request may reach an instance that did not get the last."""
    await _hold(on_postgresql, ops)


_LOCKED = st.one_of(st.builds(AskLocked, _WHICH, st.sampled_from(BOTH)), st.builds(EndLocked))


@settings(_PROFILE, max_examples=max(3, _EXAMPLES // 20))
@given(st.lists(_OPS, max_size=3), _LOCKED, st.lists(_OPS, max_size=3))
async def test_and_whatever_the_database_does(impatient: Service, before: list[Op], op: Op, after: list[Op]) -> None:
    """What could not be stored is reported as a failure; if it is stored later, it is the reply."""
    await _hold(impatient, [*before, op, *after])


_CASES: dict[str, list[Op]] = {
    "failed after words": _FAILS,
    "failed before them, five times": [op for _ in range(5) for op in (Plan(0, error=BotUnavailable), Ask(0, WHOLE))],
    "failed, and the retry names its conversation": [*_FAILS, Ask(0, CHAT, names=True)],
    "drained": [Plan(2, waits=True), Ask(0, CHAT, leaves="after a word"), Restart(), Ask(0, CHAT)],
    "drained before the first word": [Plan(0, waits=True), Ask(0, WHOLE, leaves="at once"), Restart()],
    "failed, and the conversation went on": [*_FAILS, Ask(1, CHAT), Ask(2, CHAT), Ask(0, CHAT, names=True)],
    "failed in the middle": [Ask(0, CHAT), Plan(1, error=BotFailed), Ask(1, CHAT), Ask(2, CHAT), Ask(1, CHAT)],
    "tried again while another is made": [
        *_FAILS,
        Plan(1, waits=True),
        Ask(1, CHAT, leaves="after a word"),
        Ask(0, CHAT),
    ],
    "at the same moment": [Plan(0, error=BotFailed), Ask(0, CHAT, twice=True), Ask(0, WHOLE, twice=True)],
    "cut, cut and cancelled": [
        Plan(1, waits=True),
        *[Ask(0, CHAT, leaves="after a word")] * 2,
        Cancel(0),
        Ask(0, WHOLE),
    ],
    "failed, and read again": [*_FAILS, Resume(0, "get"), Ask(0, CHAT), Resume(0, "post"), Resume(0, "query")],
}


@pytest.mark.parametrize("case", _CASES)
async def test_the_cases_that_people_have_met(service: Service, case: str) -> None:
    """Each of these once led to the same failure for a day, several conversations, or a refusal."""
    await _hold(service, _CASES[case])
