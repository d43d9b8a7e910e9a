"""A service that breaks the contract fails the tests: each flaw is introduced on purpose, and found by its check."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import schemathesis

from app.main import create_app
from tests.contract.broken import FLAWS, Broken
from tests.contract.document import PLACES, check_response
from tests.contract.fuzzing import Fuzzing, Verdict, locked_document
from tests.support.asgi import Client
from tests.support.databases import fresh_database_url
from tests.support.keys import bearer, made_key
from tests.support.server import LiveServer
from tests.support.settings import Settings

ENDED = "Custom check failed: `what_was_waited_for_has_ended`"
GRAMMAR = "Custom check failed: `stream_obeys_its_grammar`"
PROBLEM = "Custom check failed: `error_is_a_problem_of_the_document`"
REQUEST_ID = "Custom check failed: `response_names_its_request`"
SCHEMA = "SSE stream violates schema"
EVENT = "SSE event violates schema"
PAYLOAD = "SSE event payload violates content schema"
"""Where there is one kind of event."""
JSON_SCHEMA = "Response violates schema"
STATUS = "Undocumented status code"
HEADERS = "Missing required response headers"
MEDIA_TYPE = "Undocumented Content-Type"
NO_ALLOW = "Wrong response to undeclared method"
NOT_DELETED = "Deleted resource still available"
NO_KEY_NEEDED = "API accepts requests without authentication"
ANY_KEY = "API accepts invalid authentication"
KNOWN_ID = "Custom check failed: `what_is_anothers_is_as_nothing`"

HELLO = {"user_message": "hello there"}

FUZZED: dict[str, set[str]] = {
    "second-done": {GRAMMAR, SCHEMA},
    "other-field": {GRAMMAR, EVENT, PAYLOAD, SCHEMA, JSON_SCHEMA},
    "undocumented-status": {STATUS},
    "no-allow": {NO_ALLOW},
    "deaf-delete": {NOT_DELETED},
    "no-challenge": {HEADERS},
    "no-key-needed": {NO_KEY_NEEDED},
    "any-key": {ANY_KEY},
    "known-id": {KNOWN_ID},
}
"""What schemathesis finds when it fuzzes the broken service from its command line."""

PHASES = {"no-allow": "coverage", "deaf-delete": "stateful", "known-id": "stateful"}
"""What takes more cases, another method, or a walk; everything else shows in the first example."""

WHERE: dict[str, tuple[str, ...]] = {
    "second-done": ("streamChat",),
    "other-field": ("createReply", "runAgent", "streamChat"),
    "undocumented-status": ("createReply",),
    "no-challenge": ("createReply",),
    "no-allow": ("getHealth",),
    "no-key-needed": ("createReply",),
    "any-key": ("createReply",),
    "deaf-delete": ("createReply", "deleteConversation", "getConversation"),
    "known-id": ("createReply", "getReply"),
}
"""The operations that show it: most of a run is making cases, and those of others would show it again, or not."""

SEED = "3"
"""With this one the walks soon come by what is broken; with others late, or not at all."""

UNSIGNED = {"no-challenge"}
"""What shows to a client without a key."""

CHECKED: dict[str, set[str]] = {
    "none": set(),
    "second-done": {GRAMMAR, SCHEMA},
    "word-after-done": {GRAMMAR},
    "wrong-id": {GRAMMAR},
    "lost-word": {GRAMMAR},
    "other-text": {GRAMMAR},
    "no-done": {GRAMMAR, SCHEMA},
    "torn-done": {GRAMMAR},
    "other-event": {GRAMMAR, EVENT, SCHEMA},
    "other-field": {GRAMMAR, EVENT, SCHEMA, JSON_SCHEMA},
    "other-reason": {GRAMMAR, EVENT, SCHEMA, JSON_SCHEMA},
    "no-reason": {GRAMMAR, EVENT, SCHEMA, JSON_SCHEMA},
    "unfinished": {GRAMMAR, EVENT, SCHEMA, ENDED},
    "other-problem": {JSON_SCHEMA, PROBLEM},
    "undocumented-status": {STATUS},
    "no-request-id": {HEADERS, REQUEST_ID},
    "no-cache-control": {HEADERS},
    "no-content-location": {HEADERS},
    "plain-problem": {MEDIA_TYPE, PROBLEM},
    "chatty-problem": {PROBLEM},
    "no-challenge": {HEADERS},
}
"""What the tests of single responses find."""


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Verdict]:
    """Two runs at a time: most of each is waiting for a program to start."""
    database_url = fresh_database_url()
    keys: dict[str, tuple[str, str]] = {}
    for flaw in FUZZED:  # two of its own for each: documented examples name one conversation, where one reply runs
        (key, _), (others, _) = [asyncio.run(made_key(database_url, f"{name}-{flaw}")) for name in ("a", "another")]
        keys[flaw] = key, others
    program = ("-m", "tests.contract.broken")
    with LiveServer("simulator", program=program, database_url=database_url) as server:
        folders = [tmp_path_factory.mktemp(flaw) for flaw in FUZZED]

        def fuzz(flaw: str, folder: Path) -> Verdict:
            document, signed = locked_document(folder), None if flaw in UNSIGNED else keys[flaw]
            where = [part for name in WHERE[flaw] for part in ("--include-operation-id", name)]
            phase = PHASES.get(flaw, "examples")
            # A walk may be long until it comes by what is broken; then it would only come by it again.
            stops = ("--max-failures", "1") if phase == "stateful" else ()
            options = ("--phases", phase, "--seed", SEED, "--max-examples", "200", *stops, *where)
            with Fuzzing(folder, f"{server.url}/{flaw}", *options, document=document, keys=signed) as fuzzing:
                return fuzzing.verdict()

        with ThreadPoolExecutor(2) as pool:
            return dict(zip(FUZZED, pool.map(fuzz, FUZZED, folders), strict=True))


@pytest.mark.parametrize("flaw", FUZZED)
def test_fuzzing_a_broken_service_fails(flaw: str, verdicts: dict[str, Verdict]) -> None:
    """Like `test_fuzzing`, so that the test command fails; and for exactly this reason."""
    verdict = verdicts[flaw]
    assert set(verdict.failures) == FUZZED[flaw], verdict.output
    assert verdict.exit_status == 1


@pytest.mark.parametrize("flaw", CHECKED)
async def test_checking_a_broken_response_fails(flaw: str) -> None:
    """Like `test_statuses` and similar tests."""
    settings = Settings(bot="simulator")
    key, _ = await made_key(settings.database_url)
    app = create_app(settings)
    app.add_middleware(Broken)
    found: set[str] = set()
    async with Client(app) as client:
        for body, authorization in ((HELLO, bearer(key)), ({}, bearer(key)), ({}, "")):
            for operation_id in ("streamChat", "createReply"):
                headers = {"authorization": authorization}
                path = f"/{flaw}{PLACES[operation_id][1]}"
                answer = await client.request("POST", path, json=body, headers=headers)
                try:
                    check_response(answer, operation_id)
                except schemathesis.errors.FailureGroup as group:
                    found |= {failure.title for failure in group.exceptions}
    assert found == CHECKED[flaw]


def test_every_flaw_is_looked_for() -> None:
    """By one of the two tests above."""
    assert FUZZED.keys() | CHECKED.keys() == FLAWS.keys()
