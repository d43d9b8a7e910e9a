"""A conversation is never dead: whatever has become of its replies, a harmless message gets an answer.

The engine here is as strict as any real one: alternating roles, the user's first, a limit on characters, and a content
filter. It refuses in the words of real engines, and sometimes fails like they do.
"""

import json
from collections.abc import AsyncGenerator, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.main import create_app
from tests.support.asgi import Client
from tests.support.completions import DONE, answer, chunk, finish, speaks, stream
from tests.support.engine import CLOSE, RESET, FakeEngine, Script
from tests.support.settings import Settings

_MOST = 600
_FORBIDDEN = "forbidden"
_OUTCOMES: dict[str, Script] = {
    "well": speaks("Hi ", "there!"),
    "long": speaks("word " * 60),
    "cut by length": stream(chunk("Hi "), finish("length"), DONE),
    "filtered in the middle": stream(chunk(f"Hi {_FORBIDDEN} "), finish("content_filter"), DONE),
    "filtered at once": stream(finish("SAFETY"), DONE),
    "without a word": stream(finish(), DONE),
    "thoughts alone": stream(finish("length"), DONE),
    "down": answer(500),
    "busy": answer(503, b"", {"Retry-After": "60"}),
    "a wrong key": answer(401),
    "cut off": stream(chunk("Hi "), RESET),
    "closed": [CLOSE],
    "nothing": stream(),
}
_MESSAGES = ["hello", f"say {_FORBIDDEN}", "x" * 250, "y" * (_MOST + 1)]


class _Strict(FakeEngine):
    """Checks each request before it plays its script."""

    def __init__(self) -> None:
        super().__init__()
        self.outcome: Script = ()
        self.scripts = self._judged()

    def _judged(self) -> Iterator[Script]:
        while True:
            if self.exchanges[-1].method == "GET":
                yield answer(404)  # it does not list models
                continue
            messages = self.exchanges[-1].body["messages"]
            roles = [message["role"] for message in messages]
            text = json.dumps(messages)
            if roles != (["user", "assistant"] * len(roles))[: len(roles)] or roles[-1] != "user":
                yield answer(400, {"error": {"message": "Conversation roles must alternate user/assistant/..."}})
            elif sum(len(message["content"]) for message in messages) > _MOST:
                yield answer(400, {"error": {"message": "Input is too long for requested model."}})
            elif _FORBIDDEN in text:
                yield answer(400, {"error": {"message": "no", "code": "content_filter"}})
            else:
                yield self.outcome


@pytest.fixture(scope="module")
async def engine() -> AsyncGenerator[_Strict, None]:
    """One for all examples."""
    async with _Strict() as engine:
        yield engine


@pytest.fixture(scope="module")
async def client(engine: _Strict) -> AsyncGenerator[Client, None]:
    """One service for all examples; each has its own conversation."""
    own = {"bot": "openai", "openai_base_url": engine.url, "openai_model": "m", "first_word_seconds": 60}
    async with Client(create_app(Settings.model_validate(own))) as client:
        yield client


_turns = st.lists(st.tuples(st.sampled_from(_MESSAGES), st.sampled_from(sorted(_OUTCOMES))), max_size=8)


@settings(settings.get_profile("laws"), max_examples=60)
@given(_turns)
async def test_a_harmless_message_gets_an_answer_after_anything(
    engine: _Strict, client: Client, turns: list[tuple[str, str]]
) -> None:
    """Any messages, with any end of any reply."""
    body: dict[str, str] = {}
    for message, outcome in turns:
        engine.outcome = _OUTCOMES[outcome]
        answered = await client.request("POST", "/api/replies", json={"user_message": message} | body)
        body = {"conversation_id": answered.headers["conversation-id"]}
    engine.outcome = speaks("Hi ", "there!")
    answered = await client.request("POST", "/api/replies", json={"user_message": "hello"} | body)
    assert (answered.status, answered.json().get("text")) == (200, "Hi there!")
