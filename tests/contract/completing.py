"""The table of the fifth law for OpenAI's operations: how to provoke each of their problems."""

import json

from tests.contract.anyhow import anyhow
from tests.contract.asking import CANARY, Request, completion, completion_body, get
from tests.contract.provocations import after, fresh, revoked, slowly, without_database
from tests.contract.stage import STALLED
from tests.contract.way import Way, completed

HELLO = completion("hello")
KEYED = completion("hello", Idempotency_Key=CANARY)


def asking(**fields: object) -> Request:
    """A message, and more fields."""
    return completion_body(json.dumps({"messages": [{"role": "user", "content": "hello"}], **fields}))


ALIKE = [
    completed("a completion", None, fresh(HELLO)),
    completed("a completion of many words", None, fresh(completion("/simulate repeat=500\nhello there, "))),
    completed("a completion without a word", None, fresh(completion("/simulate\n"))),
    completed("a completion cut at its bound", None, fresh(completion("one two three"), max_reply_characters=8)),
    completed(
        "a completion that fails late",
        None,
        fresh(completion("/simulate fail_after=1\nhello there")),
        failed="bot-failed",
    ),
    completed("a completion asked for again", None, after(KEYED, KEYED, resume_window_seconds=60)),
    completed("not JSON", "malformed-body", fresh(completion_body("{"))),
    completed("a key of two words", "malformed-idempotency-key", fresh(completion("a", Idempotency_Key="a b"))),
    completed("half a body", "body-too-slow", slowly(completion_body('{"messages": ['))),
    completed(
        "a key that came before",
        "idempotency-key-reused",
        after(KEYED, completion("hallo", Idempotency_Key=CANARY), resume_window_seconds=60),
    ),
    completed("a long body", "body-too-large", fresh(completion_body(" " * 11), max_body_bytes=10)),
    completed("a form", "unsupported-media-type", fresh(completion_body("a=b", "application/x-www-form-urlencoded"))),
    completed("no message", "invalid-body", fresh(completion_body("{}"))),
    *(completed(*row) for row in anyhow(completion)),
    completed("no database is needed", None, without_database(HELLO)),
    completed("a silent bot", "bot-timeout", fresh(completion("/simulate stall_after=0\na"), bot_silence_seconds=0.1)),
    completed("a key that is revoked", None, revoked(completion(STALLED)), failed="access-ended"),
]
"""As a stream and as JSON."""

REFUSED: dict[str, dict[str, object]] = {
    "tool_choice": {"tools": [{"type": "function", "function": {"name": CANARY}}], "tool_choice": "required"},
    "function_call": {"functions": [{"name": CANARY}], "function_call": {"name": CANARY}},
    "n": {"n": 2},
    "logprobs": {"logprobs": True},
    "response_format": {"response_format": {"type": "json_object"}},
    "audio": {"audio": {"voice": CANARY}},
    "web_search_options": {"web_search_options": {}},
    "messages[0].content[1]": {
        "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url"}]}]
    },
    "messages[1].role": {"messages": [{"role": "user", "content": "a"}, {"role": "tool", "content": CANARY}]},
}
"""What the service does not do, by the name that the refusal gives it."""

UNSUPPORTED = [
    Way("createChatCompletion", f"refused: {name}", "unsupported-parameter", fresh(asking(**fields)))
    for name, fields in REFUSED.items()
]

MODELS = [
    Way("listModels", "the model", None, fresh(get("/v1/models"))),
    Way("listModels", "the model without a database", None, without_database(get("/v1/models"))),
    Way(None, "another operation of OpenAI's", "path-not-found", fresh(Request("POST", f"/v1/{CANARY}"))),
    Way(None, "another method of OpenAI's", "method-not-allowed", fresh(get("/v1/chat/completions"))),
]

COMPLETING = [*(way for ways in ALIKE for way in ways), *UNSUPPORTED, *MODELS]
