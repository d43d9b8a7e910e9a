"""The bot `openai` in the real service: error statuses, `failed`, history and usage."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from anyio.from_thread import BlockingPortal

from generated.models import Usage
from tests.bots.faults import FAULTS, NONSENSE
from tests.support.addresses import BOTH, CHAT, WHOLE, reply_at
from tests.support.completions import answer, begun, chunk, event, finish, said, speaks, stream, usage
from tests.support.engine import FakeEngine, Script, Step, engine_beside
from tests.support.server import LiveServer
from tests.support.wire import Answer, Wire, get, post, request


@dataclass(frozen=True, slots=True)
class _Service:
    server: LiveServer
    engine: FakeEngine
    portal: BlockingPortal
    """A portal to the engine's thread."""

    def ask(self, message: str | dict[str, str], *scripts: Script, path: str = CHAT) -> Answer:
        """A reply from an engine with these scripts."""
        self.engine.answers(*scripts)
        self.engine.exchanges.clear()
        body = {"user_message": message} if isinstance(message, str) else message
        with Wire(self.server.port) as wire:
            wire.send(request(json.dumps(body).encode(), path=path))
            return wire.answer()


@pytest.fixture(scope="module")
def service() -> Iterator[_Service]:
    """One service for all tests; it waits for the first word as long as the engine may take."""
    engine = FakeEngine()
    with (
        engine_beside(engine) as portal,
        LiveServer(
            "openai",
            openai_base_url=engine.url,
            openai_model="some/model",
            openai_api_key="key-of-mine",
            openai_headers='{"X-Title": "chat"}',
            openai_extra_body='{"seed": 1, "stream_options": null}',
            openai_first_byte_seconds=0.8,
            system_prompt="Be brief.",
            temperature=0.5,
            max_tokens=99,
            openai_first_token_seconds=0.8,
            openai_between_bytes_seconds=0.8,
            first_word_seconds=60,
            bot_silence_seconds=1,
            history_messages=2,
        ) as server,
    ):
        yield _Service(server, engine, portal)


_TOO_LONG = answer(400, {"error": {"message": "no", "code": "context_length_exceeded"}})


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (answer(429, b"", {"Retry-After": "7"}), (429, "bot-rate-limited", "7")),
        (answer(429, b"", {"Retry-After": "0"}), (429, "bot-rate-limited", "1")),
        (answer(503, b"", {"Retry-After": "8"}), (503, "bot-unavailable", "8")),
        (FAULTS["resets before the head"].script, (503, "bot-unavailable", "1")),
        (answer(504), (504, "bot-timeout", None)),
        ((), (504, "bot-timeout", None)),
        (begun(), (504, "bot-timeout", None)),
        (answer(500), (502, "bot-failed", None)),
        (answer(401), (502, "bot-misconfigured", None)),
        (answer(302, b"", {"Location": "/"}), (502, "bot-misconfigured", None)),
        (FAULTS["HTML"].script, (502, "bot-failed", None)),
        (stream(), (502, "bot-failed", None)),
        (begun(event({"error": {"code": "429"}})), (429, "bot-rate-limited", "1")),
        (_TOO_LONG, (422, "message-refused", None)),
    ],
    ids=[
        *("429", "429, come back at once", "503", "reset", "504", "silent before the head", "silent behind the head"),
        *("500", "401", "redirect", "HTML", "ends", "error in the stream", "too long"),
    ],
)
def test_before_the_first_word_the_status_is_true(
    service: _Service, script: Script, told: tuple[int, str, str | None]
) -> None:
    """A problem, in either form of the reply; with Retry-After according to the contract."""
    for path in BOTH:
        answered = service.ask("hello", script, path=path)
        assert (answered.status, answered.problem_code(), answered.headers.get("retry-after")) == told


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        (NONSENSE["ends"], "bot-failed"),
        (NONSENSE["closes"], "bot-failed"),
        (NONSENSE["resets"], "bot-failed"),
        (NONSENSE["broken JSON"], "bot-failed"),
        (stream(finish("tool_calls"))[1:], "bot-failed"),
        (stream(event({"error": {"code": 503}}))[1:], "bot-unavailable"),
        ([], "bot-timeout"),
    ],
    ids=["ends", "closes", "resets", "broken JSON", "tool_calls", "error in the stream", "silent"],
)
def test_after_the_first_word_the_reply_fails(service: _Service, steps: list[Step], code: str) -> None:
    """After the whole text so far comes what happened."""
    heard = asyncio.Event()
    service.engine.answers([*begun(chunk("Hi "), chunk("there")), heard, *steps])
    with Wire(service.server.port) as wire:
        wire.send(post("hello"))
        status, headers = wire.head()
        first = wire.chunk()
        service.portal.call(heard.set)
        transcript = Answer(status, headers, first + b"".join(iter(wire.chunk, b""))).transcript()
    assert transcript.text == "Hi there"
    assert transcript.problem.type == f"urn:problem:{code}"


def test_the_engine_gets_the_conversation_and_the_settings(service: _Service) -> None:
    """The system prompt first, then earlier turns in order, the newest within the limits, then the message."""
    first = service.ask("One?", speaks("Two", "!"), path=WHOLE).json()
    conversation = {"conversation_id": first["conversation_id"]}
    service.ask({"user_message": "Three?"} | conversation, speaks("Four!"))
    assert [message["content"] for message in service.engine.exchanges[0].body["messages"]] == [
        *("Be brief.", "One?", "Two!", "Three?")
    ]
    service.ask({"user_message": "Five?"} | conversation, speaks("Six!"))
    (sent,) = service.engine.exchanges
    assert sent.headers["authorization"] == "Bearer key-of-mine"
    assert sent.headers["x-title"] == "chat"
    assert sent.body == {
        "model": "some/model",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Three?"},
            {"role": "assistant", "content": "Four!"},
            {"role": "user", "content": "Five?"},
        ],
        "stream": True,
        "temperature": 0.5,
        "max_tokens": 99,
        "seed": 1,
    }


def test_a_conversation_that_is_too_long_goes_on_without_its_history(service: _Service) -> None:
    """The model has forgotten it, but the conversation has not."""
    first = service.ask("One?", speaks("Two!"), path=WHOLE).json()
    body = {"user_message": "Three?", "conversation_id": first["conversation_id"]}
    assert service.ask(body, _TOO_LONG, speaks("Four!")).transcript().text == "Four!"
    assert [len(request.body["messages"]) for request in service.engine.exchanges] == [4, 2]


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter"])
def test_finish_reason_and_usage_are_told_and_stored(service: _Service, reason: str) -> None:
    """In `done`, in the reply read again, and in the conversation."""
    answered = service.ask("hello", stream(chunk("Hi "), chunk("there!"), finish(reason), usage(7, 3)))
    reply = answered.transcript().reply
    assert (reply.text, reply.finish_reason, reply.usage) == (
        "Hi there!",
        reason,
        Usage(prompt_tokens=7, completion_tokens=3),
    )
    told = {"finish_reason": reason, "usage": {"prompt_tokens": 7, "completion_tokens": 3}}
    with Wire(service.server.port) as wire:
        wire.send(get(reply_at(reply.reply_id)))
        assert wire.answer().json().items() >= told.items()
        wire.send(get(f"/api/conversations/{reply.conversation_id}"))
        assert wire.answer().json()["messages"][-1].items() >= told.items()


def test_without_usage_there_is_none(service: _Service) -> None:
    """Absent, not null: not every engine sends usage."""
    assert "usage" not in service.ask("hello", speaks("Hi"), path=WHOLE).json()


def test_a_model_that_thinks_is_not_taken_for_silent(service: _Service) -> None:
    """Although it thinks for longer than a bot may be silent."""
    thinking: list[Step] = [said(reasoning_content="Hm"), 0.1] * 12
    assert service.ask("hello", stream(*thinking, chunk("Hi"), finish())).transcript().reply.text == "Hi"
