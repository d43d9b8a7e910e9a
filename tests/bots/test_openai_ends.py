"""The end of a reply: what follows it does no harm, a false end is detected, and an end without a word is reported."""

import pytest

from app.chat.errors import BotFailed, BotSaidNothing, ChatError
from app.chat.model import Finish
from app.chat.white_space import WHITE_SPACE
from tests.bots.asking import COUNTS, USAGE, ask, asking, hear
from tests.bots.faults import CANARY
from tests.support.completions import (
    DONE,
    LAST_CHUNK,
    answer,
    begun,
    choice,
    chunk,
    completion,
    event,
    finish,
    framed,
    said,
    stream,
    usage,
    whole,
)
from tests.support.engine import CLOSE, RESET, FakeEngine, Step

_HI, _THERE, _STOP = chunk("Hi "), chunk("there!"), finish()
_WHOLE = event(whole("Hi there!"))


def _message(text: str, reason: str | None = None) -> bytes:
    return event(completion({"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": reason}))


@pytest.mark.parametrize(
    "steps",
    [
        [_HI, _THERE, _STOP, _WHOLE],
        [_HI, _THERE, _WHOLE, DONE],
        [
            _HI,
            _THERE,
            event(completion({"index": 0, "delta": {}, "message": {"content": "Hi there!"}, "finish_reason": "stop"})),
        ],
        [event(completion(choice({"content": "Hi there!"}) | {"message": {"content": "Hi there!"}})), _STOP],
        [_message("Hi "), _message("Hi there!"), _message("Hi there!", "stop"), DONE],
        [_message("Hi "), _message("there!"), _STOP, DONE],
        [said(role="assistant", content=""), _message("Hi there!", "stop")],
    ],
    ids=[
        *("behind the end", "with the end", "with the reason", "beside its delta", "growing", "in pieces"),
        "behind an empty delta",
    ],
)
async def test_a_message_counts_only_where_no_delta_gave_text(steps: list[Step]) -> None:
    """Some engines repeat the whole text at the end, some send only that, and for some it grows."""
    heard, _ = await hear(stream(*steps))
    assert (heard.error, heard.text) == (None, "Hi there!")
    assert heard.finish == Finish("stop")


@pytest.mark.parametrize("steps", [[chunk("\n\n"), 0.05, _WHOLE], [chunk("\n\n") + _WHOLE]], ids=["apart", "together"])
async def test_a_message_counts_behind_white_space(steps: list[Step]) -> None:
    """However the network cuts the stream: a reply does not begin with white space."""
    heard, _ = await hear(stream(*steps))
    assert (heard.error, heard.text.lstrip(), heard.finish) == (None, "Hi there!", Finish("stop"))


@pytest.mark.parametrize(
    "behind",
    [
        b"data: DONE\n\n",
        b"event: metrics\ndata: [1, 2]\n\n",
        b"data: [1, 2]\n\n",
        event({"error": {"message": CANARY}}),
        b"event: error\n" + event({"message": CANARY}),
        b"data: {" + CANARY.encode(),
        b"data: <html>\n\n",
        finish("abort"),
        finish(CANARY),
        event({"detail": CANARY}),
        b"data: 7\n\n",
        event({"choices": CANARY}),
    ],
    ids=[
        *("DONE", "metrics", "a list", "an error", "an error event", "a cut frame", "a page", "abort", "a reason"),
        *("a detail", "a number", "another shape"),
    ],
)
@pytest.mark.parametrize("then", [[], [DONE], [RESET], [CLOSE]], ids=["ends", "[DONE]", "resets", "closes"])
async def test_nothing_behind_the_end_fails_the_reply(behind: bytes, then: list[Step]) -> None:
    """It is complete and paid for."""
    script: list[Step] = [
        *begun(_HI, _THERE, _STOP, behind),
        *[framed(step) if step == DONE else step for step in then],
    ]
    heard, _ = await hear([*script, LAST_CHUNK] if then in ([], [DONE]) else script)
    assert (heard.error, heard.text, heard.finish) == (None, "Hi there!", Finish("stop"))


_EACH = [event(completion(choice({"content": text}, "stop"))) for text in ("Hi ", "there", "!")]


@pytest.mark.parametrize(
    "steps",
    [
        [_EACH[0], 3.0, _EACH[1], _EACH[2], DONE],
        [_HI, _STOP, _THERE, 3.0, finish("length"), DONE],
        [_HI, _STOP, _THERE],
    ],
    ids=["on every chunk", "once too early", "never again"],
)
async def test_text_behind_a_finish_reason_proves_that_it_was_none(steps: list[Step]) -> None:
    """Then the last finish reason counts, and the bot waits for it like for any chunk."""
    heard, _ = await hear(stream(*steps))
    assert (heard.error, heard.text) == (None, "Hi there!")
    assert heard.finish == Finish("length" if finish("length") in steps else "stop")


async def test_a_cut_behind_a_reason_that_was_none_is_a_failure() -> None:
    """Half a text with a finish reason on every chunk is not complete."""
    heard, _ = await hear(stream(*_EACH[:2], 0.05, RESET))
    assert (type(heard.error), heard.text) == (BotFailed, "Hi there")


@pytest.mark.parametrize(
    ("script", "error", "reason"),
    [
        (stream(finish(), DONE), BotSaidNothing, None),
        (stream(said(reasoning_content="Hm"), finish(), DONE), BotSaidNothing, None),
        (answer(200, whole("")), BotSaidNothing, None),
        (stream(chunk("\n\n"), finish(), DONE), BotSaidNothing, None),
        (stream(chunk(" \0"), chunk("\u3000\ufeff"), finish(), DONE), BotSaidNothing, None),
        (answer(200, whole(" \r\n")), BotSaidNothing, None),
        (stream(chunk("\n"), finish("length"), DONE), None, "length"),
        (stream(finish("length"), DONE), None, "length"),
        (stream(finish("SAFETY"), DONE), None, "content_filter"),
    ],
    ids=[
        *("stop", "stop after thoughts", "in JSON", "blank lines", "other white space", "blank in JSON"),
        *("blank, length", "length", "filter"),
    ],
)
async def test_an_end_without_a_word_is_told(
    script: list[Step], error: type[ChatError] | None, reason: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """By the error or the finish reason; the operator learns what to check. White space alone is no word."""
    heard, _ = await hear(script)
    assert heard.text.strip(WHITE_SPACE + "\0") == ""
    assert (type(heard.error) if heard.error else None) is error
    assert (heard.finish.reason if heard.finish else None) == reason
    assert len(caplog.messages) == (0 if reason == "content_filter" else 1)
    assert all("Next: " in line for line in caplog.messages)


_CASES: dict[str, list[Step]] = {
    "STOP": [finish("STOP")],
    "COMPLETE": [finish("COMPLETE")],
    "MAX_TOKENS": [finish("MAX_TOKENS")],
    "model_length": [finish("model_length")],
    "model_context_window_exceeded": [finish("model_context_window_exceeded")],
    "FinishReason.STOP": [finish("FinishReason.STOP")],
    "SAFETY": [finish("SAFETY")],
    "refusal": [finish("refusal")],
    "sensitive": [finish("sensitive")],
    "content_filter: RECITATION": [finish("content_filter: RECITATION")],
    "guardrail_intervened": [finish("guardrail_intervened")],
    "not_finished until the end": [finish("not_finished"), finish("eos_token")],
    "null in words": [finish("null"), finish("stop")],
}
_REASONS = ["stop", "stop", "length", "length", "length", "stop", *["content_filter"] * 5, "stop", "stop"]


@pytest.mark.parametrize(("steps", "reason"), [*zip(_CASES.values(), _REASONS, strict=True)], ids=_CASES.keys())
async def test_finish_reasons_of_all_kinds_are_known(steps: list[Step], reason: str) -> None:
    """In upper and lower case: Gemini, Cohere, Mistral, Anthropic, Zhipu, Bedrock, TGI and watsonx have their own."""
    heard, _ = await hear(stream(_HI, *steps, DONE))
    assert (heard.error, heard.text) == (None, "Hi ")
    assert heard.finish is not None
    assert heard.finish.reason == reason


@pytest.mark.parametrize(
    "last",
    [
        [event(completion(choice({}, "stop") | {"usage": COUNTS}))],
        [event(completion(choice({}, "stop"), x_groq={"usage": COUNTS}))],
        [_STOP, event({"choices": [], "usage": {"input_tokens": 7, "output_tokens": 3}})],
        [_STOP, event({"usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 3}})],
        [_STOP, event(completion(usage={"prompt_tokens": 7.0, "completion_tokens": 3.0}))],
    ],
    ids=["Moonshot, in the choice", "Groq", "Anthropic's names", "Gemini's names", "not whole numbers"],
)
async def test_usage_is_found_under_other_names(last: list[Step]) -> None:
    """Wherever it is in the chunk."""
    heard, _ = await hear(stream(_HI, *last, DONE))
    assert heard.finish == Finish("stop", USAGE)


async def test_usage_on_the_way_is_told_on_the_way() -> None:
    """For a reply that does not reach its end: vLLM sends usage with every chunk on request."""
    engine = FakeEngine([*begun(_HI, usage(7, 1), 0.02, _THERE, usage(7, 2)), 0.02, RESET])
    async with asking(engine) as bot:
        heard = await ask(bot)
    assert [counted.completion_tokens for counted in heard.usages] == [1, 2]
    assert type(heard.error) is BotFailed


@pytest.mark.parametrize(
    ("steps", "what"),
    [
        ([RESET], "the connection was cut"),
        ([LAST_CHUNK], "ended without a finish reason"),
        ([framed(finish("abort"))], "its finish reason is `abort`"),
        ([framed(finish(CANARY))], "its finish reason is unknown"),
        ([framed(event({"error": CANARY}))], "it broke off with an error: it failed"),
        ([framed(event({"error": {"code": 503, "message": CANARY}}))], "it broke off with an error: it is busy"),
        ([framed(b"data: nonsense\n\n")], "not a chat completion chunk"),
    ],
    ids=["cut", "no finish reason", "abort", "another reason", "an error", "busy", "nonsense"],
)
async def test_what_breaks_off_is_one_line_in_the_log(
    steps: list[Step], what: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What happened, after how many words; never any text of user or model."""
    heard, _ = await hear([*begun(chunk("one two "), chunk("three ")), 0.05, *steps])
    assert heard.error is not None
    (line,) = caplog.messages
    assert what in line
    assert "a reply broke off after about 3 words" in line
    assert not {"one", "hello", CANARY} & set(line.split())
    assert CANARY not in line
