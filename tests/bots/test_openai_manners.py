"""Models differ in the fields that they accept: a refused request is adapted once, and that is remembered."""

import pytest

from app.chat.errors import BotMisconfigured
from app.chat.model import Finish
from tests.bots.asking import HELLO, TALK, WHOLE, ask, asking, hear
from tests.bots.faults import CANARY
from tests.support.completions import answer, speaks
from tests.support.engine import FakeEngine, Script


def _refused(message: str, param: str | None = None, status: int = 400) -> Script:
    return answer(status, {"error": {"message": message, "type": "invalid_request_error", "param": param}})


_NO_MAX_TOKENS = _refused("Unsupported parameter: 'max_tokens' is not supported with this model.", "max_tokens")
_NO_COMPLETION_TOKENS = _refused("Unknown field: max_completion_tokens, max_tokens is deprecated")
_NO_TEMPERATURE = _refused("Unsupported value: 'temperature' does not support 0.5 with this model.", "temperature")
_NO_SYSTEM = _refused("Unsupported value: 'messages[0].role' does not support 'system' with this model.")

_ALL = {"model", "messages", "stream", "stream_options", "temperature", "max_tokens"}
WAYS: dict[str, tuple[list[Script], set[str]]] = {
    "OpenAI, max_tokens": ([_NO_MAX_TOKENS], _ALL - {"max_tokens"} | {"max_completion_tokens"}),
    "neither of the two": ([_NO_MAX_TOKENS, _NO_COMPLETION_TOKENS], _ALL - {"max_tokens"}),
    "OpenAI, temperature": ([_NO_TEMPERATURE], _ALL - {"temperature"}),
    "Moonshot, temperature": ([_refused("invalid temperature: only 1 is allowed")], _ALL - {"temperature"}),
    "Mistral, stream_options": (
        [
            answer(
                422,
                {
                    "detail": [
                        {
                            "type": "extra_forbidden",
                            "loc": ["body", "stream_options"],
                            "msg": "Extra inputs are not permitted",
                            "input": {"temperature": CANARY},
                        }
                    ]
                },
            )
        ],
        _ALL - {"stream_options"},
    ),
    "Azure, stream_options": (
        [_refused("Unrecognized request argument supplied: stream_options")],
        _ALL - {"stream_options"},
    ),
    "all of it": (
        [_NO_MAX_TOKENS, _NO_TEMPERATURE, _refused("Unknown parameter: 'stream_options'"), _NO_SYSTEM],
        {"model", "messages", "stream", "max_completion_tokens"},
    ),
}


@pytest.mark.parametrize(("refusals", "fields"), WAYS.values(), ids=WAYS.keys())
async def test_a_field_that_is_refused_is_put_another_way_once(refusals: list[Script], fields: set[str]) -> None:
    """And from then on at once."""
    engine = FakeEngine(*refusals, WHOLE)
    async with asking(engine, max_tokens=9, temperature=0.5, system_prompt="Be brief.") as bot:
        for _ in range(2):
            assert (await ask(bot)).error is None
    assert len(engine.exchanges) == len(refusals) + 2
    assert [set(exchange.body) for exchange in engine.exchanges[-2:]] == [fields, fields]


@pytest.mark.parametrize(
    "refusal",
    [
        _NO_SYSTEM,
        _refused("System role not supported"),
        _refused("Conversation roles must alternate user/assistant/user/assistant/..."),
        _refused("Developer instruction is not enabled for this model"),
        _refused("Only user, assistant and tool roles are supported, got system.", status=500),
    ],
    ids=["OpenAI", "Gemma", "Mistral", "Gemini", "llama.cpp"],
)
async def test_a_template_without_a_system_role_gets_the_prompt_in_the_first_message(refusal: Script) -> None:
    """So it is not lost."""
    engine = FakeEngine(refusal, WHOLE)
    async with asking(engine, system_prompt="Be brief.") as bot:
        assert (await ask(bot, TALK)).finish == Finish("stop")
    assert engine.exchanges[-1].body["messages"] == [
        {"role": "user", "content": "Be brief.\n\nhello"},
        {"role": "assistant", "content": "Hi!"},
        {"role": "user", "content": "Who are you?"},
    ]


async def test_what_is_refused_either_way_is_the_operators() -> None:
    """No request is repeated for ever."""
    for refusal, most in ((_NO_MAX_TOKENS, 3), (_NO_TEMPERATURE, 2), (_NO_SYSTEM, 2)):
        heard, requests = await hear(refusal, max_tokens=9, temperature=0.5, system_prompt="Be brief.")
        assert (type(heard.error), requests) == (BotMisconfigured, most)


_TOO_MANY = {
    "vLLM": "'max_tokens' is too large: 9000. This model's maximum context length is 4096 tokens, your request has 12",
    "OpenAI": "max_tokens is too large: 9000. This model supports at most 4096 completion tokens",
    "Anthropic": "max_tokens: 9000 > 8192, which is the maximum allowed number of output tokens for m",
    "DeepSeek": "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]",
    "TGI": "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 12 `inputs` tokens and 9000 `max_new_tokens`",
    "Gemini": "max_output_tokens must be within range from 1 to 8192",
}


@pytest.mark.parametrize("message", _TOO_MANY.values(), ids=_TOO_MANY.keys())
@pytest.mark.parametrize("conversation", [HELLO, TALK], ids=["one message", "history"])
async def test_more_tokens_than_the_model_makes_are_the_settings_fault(
    message: str, conversation: object, caplog: pytest.LogCaptureFixture
) -> None:
    """The message and its history are sent unchanged; the log names the setting, once."""
    engine = FakeEngine(_refused(message), WHOLE)
    async with asking(engine, max_tokens=9000) as bot:
        for _ in range(2):
            heard = await ask(bot, TALK if conversation is TALK else HELLO)
            assert heard.finish == Finish("stop")
    first, second, third = (exchange.body for exchange in engine.exchanges)
    assert (first["max_tokens"], "max_tokens" in second, "max_tokens" in third) == (9000, False, False)
    assert second["messages"] == first["messages"]
    (line,) = caplog.messages
    assert line.endswith("Next: lower CHAT_MAX_TOKENS")


def _list(*names: str) -> Script:
    return answer(200, {"object": "list", "data": [{"id": name, "object": "model"} for name in names]})


@pytest.mark.parametrize(
    "refusal",
    [
        answer(404, {"object": "error", "message": "The model `one` does not exist.", "code": 404}),
        answer(400, {"detail": "Model one not found"}),
        answer(404),
        answer(404, {"error": {"message": 'model "one" not found, try pulling it first'}}),
    ],
    ids=["vLLM", "400", "404 without a word", "Ollama"],
)
async def test_an_engine_that_was_swapped_is_looked_at_again(refusal: Script) -> None:
    """Only if no model is configured."""
    engine = FakeEngine(_list("one"), speaks("1"), refusal, _list("two"), speaks("2"), speaks("3"))
    async with asking(engine, model=None) as bot:
        assert [(await ask(bot)).text for _ in range(3)] == ["1", "2", "3"]
    models = [exchange.body["model"] for exchange in engine.exchanges if exchange.method == "POST"]
    assert models == ["one", "one", "two", "two"]
    heard, requests = await hear(refusal, WHOLE, model="one")
    assert (type(heard.error), requests) == (BotMisconfigured, 1)


async def test_an_engine_that_does_not_know_its_own_model_is_asked_no_more() -> None:
    """If the list has not changed."""
    engine = FakeEngine(_list("one"), answer(404), _list("one"), WHOLE)
    async with asking(engine, model=None) as bot:
        assert type((await ask(bot)).error) is BotMisconfigured
    assert len(engine.exchanges) == 3


@pytest.mark.parametrize(
    "listed",
    [
        {"data": [{"id": "m"}]},
        [{"id": "m"}],
        {"models": [{"name": "m", "model": "x"}]},
        {"data": ["m"]},
        {"data": [{"object": "model"}, {"id": ""}, {"id": "m"}]},
    ],
    ids=["OpenAI", "Together", "Ollama", "names", "one without a name first"],
)
async def test_a_list_of_models_may_have_any_of_these_shapes(listed: object) -> None:
    """The first model with a name is used."""
    engine = FakeEngine(answer(200, listed), WHOLE)
    async with asking(engine, model=None) as bot:
        assert (await ask(bot)).error is None
    assert engine.exchanges[-1].body["model"] == "m"


@pytest.mark.parametrize(
    ("listed", "seen"),
    [
        (answer(200, {"data": []}), "nothing in it"),
        (answer(200, b""), "no JSON in it"),
        (answer(200, {"data": [{"object": CANARY}]}), "no model with a name in it"),
        (answer(200, {CANARY: 1}), "no model with a name in it"),
        (answer(404, {"detail": CANARY}), "it answered 404"),
    ],
    ids=["empty list", "empty body", "no names", "another object", "no list"],
)
async def test_without_a_list_the_log_names_the_setting_and_what_was_seen(
    listed: Script, seen: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The next message lists again: the model may be loaded by then."""
    engine = FakeEngine(listed, _list("m"), WHOLE)
    async with asking(engine, model=None) as bot:
        assert type((await ask(bot)).error) is BotMisconfigured
        (line,) = caplog.messages
        assert seen in line
        assert "CHAT_OPENAI_MODEL" in line
        assert CANARY not in line
        assert (await ask(bot)).error is None
