"""OpenAI's own SDK for Python, unmodified: streams, whole replies, errors, leaving, and retries."""

import asyncio
import threading
from collections.abc import Iterator

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionUserMessageParam

from tests.support.addresses import COMPLETED
from tests.support.databases import fresh_database_url
from tests.support.keys import made_key
from tests.support.server import LiveServer
from tests.support.service import SERVICE
from tests.support.upstream import Upstream
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """The simulator."""
    with LiveServer(first_word_seconds=60) as server:
        yield server


def client_of(server: LiveServer, **options: object) -> openai.OpenAI:
    """The SDK, as its documentation has it: a base URL, and any key."""
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="any", **options)  # type: ignore[arg-type]  # as given


def said(text: str) -> list[ChatCompletionUserMessageParam]:
    """A conversation of one message."""
    return [{"role": "user", "content": text}]


def test_a_stream_and_a_whole_reply_have_the_text(server: LiveServer) -> None:
    """With the roles, the reasons and an id of the request."""
    with client_of(server) as client:
        text = "Hello  there,\n\u2028 \x85 [DONE] \U0001f469\u200d\U0001f4bb \u65e5\u672c"
        whole = client.chat.completions.create(model="gpt-4o", messages=said(text))
        assert whole.choices[0].message.content == text
        assert (whole.choices[0].message.role, whole.choices[0].finish_reason) == ("assistant", "stop")
        assert whole._request_id  # noqa: SLF001 - the SDK documents it
        chunks = list(
            client.chat.completions.create(
                model="gpt-4o", messages=said(text), stream=True, stream_options={"include_usage": True}
            )
        )
        assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices) == text
        assert chunks[0].choices[0].delta.role == "assistant"
        assert chunks[-1].choices[0].finish_reason == "stop"
        with client.chat.completions.stream(model="gpt-4o", messages=said(text)) as stream:
            assert stream.get_final_completion().choices[0].message.content == text
        assert [model.id for model in client.models.list()] == ["simulator"]


async def test_the_asynchronous_client_streams_too(server: LiveServer) -> None:
    """As it comes."""
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="any") as client:
        stream = await client.chat.completions.create(
            model="m", messages=said("/simulate pace_ms=1\none two three"), stream=True
        )
        assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == "one two three"


def test_limits_and_stop_sequences_are_obeyed(server: LiveServer) -> None:
    """By any name."""
    with client_of(server) as client:
        limited = client.chat.completions.create(model="m", messages=said("a b c"), max_completion_tokens=2)
        assert (limited.choices[0].message.content, limited.choices[0].finish_reason) == ("a b ", "length")
        stopped = client.chat.completions.create(model="m", messages=said("a b c"), stop="b", temperature=0.1, user="u")
        assert (stopped.choices[0].message.content, stopped.choices[0].finish_reason) == ("a ", "stop")


def test_errors_have_their_classes_and_are_repeated_if_that_helps() -> None:
    """The SDK repeats twice what may succeed later, and nothing else."""
    expected: list[tuple[type[openai.APIStatusError], str, dict[str, object], int]] = [
        (openai.BadRequestError, "unsupported-parameter", {"messages": said("a"), "n": 2}, 1),
        (openai.UnprocessableEntityError, "invalid-body", {"messages": said("a"), "temperature": 3}, 1),
        (openai.UnprocessableEntityError, "message-refused", {"messages": said("/simulate x=1\n")}, 1),
        (openai.InternalServerError, "bot-unavailable", {"messages": said("/simulate status=503\n")}, 3),
        (openai.RateLimitError, "bot-rate-limited", {"messages": said("/simulate status=429\n")}, 3),
    ]
    with LiveServer(first_word_seconds=60) as server, client_of(server) as client:
        for kind, code, fields, attempts in expected:
            for stream in (False, True):
                before = requests_of(server)
                with pytest.raises(kind) as raised:
                    client.chat.completions.create(model="m", stream=stream, **fields)  # type: ignore[call-overload]  # as given
                assert raised.value.code == code
                wait_until(lambda: requests_of(server) >= before + attempts)  # noqa: B023 - called at once
                assert requests_of(server) - before == attempts, (code, stream)
        with pytest.raises(openai.NotFoundError, match="POST /v1/chat/completions"):
            client.responses.create(model="m", input="hello")


def requests_of(server: LiveServer) -> int:
    """How many completions were asked for; the log is written after the response."""
    return sum(entry.get("path") == COMPLETED for entry in server.log_entries())


def test_a_failure_after_the_first_word_is_raised_after_its_text(server: LiveServer) -> None:
    """Never a clean end."""
    with client_of(server) as client:
        stream = client.chat.completions.create(
            model="m", messages=said("/simulate fail_after=2\none two three"), stream=True
        )
        texts: list[str] = []
        with pytest.raises(openai.APIError) as raised:
            texts.extend(chunk.choices[0].delta.content or "" for chunk in stream)
        assert "".join(texts) == "one two "
        assert raised.value.code == "bot-failed"


def test_a_wrong_key_is_an_authentication_error_and_a_good_one_opens() -> None:
    """The SDK's `api_key` is our key."""
    url = fresh_database_url()
    key, _ = asyncio.run(made_key(url))
    with LiveServer(database_url=url) as server:
        with client_of(server) as client, pytest.raises(openai.AuthenticationError) as raised:
            client.chat.completions.create(model="m", messages=said("hello"))
        assert raised.value.code == "invalid-token"
        with openai.OpenAI(base_url=f"{server.url}/v1", api_key=key) as client:
            reply = client.chat.completions.create(model="m", messages=said("hello"))
        assert reply.choices[0].message.content == "hello"


def test_leaving_a_stream_stops_the_bot() -> None:
    """As seen by what is behind it."""
    with (
        LiveServer(program=SERVICE, first_word_seconds=0.01) as server,
        Upstream() as upstream,
        client_of(server) as client,
    ):
        with client.chat.completions.create(model="m", messages=said(upstream.message), stream=True) as stream:
            upstream.accept()
            upstream.say("one")
            upstream.say("two")
            assert any(chunk.choices[0].delta.content for chunk in stream)
        upstream.when_hung_up()


def test_a_retry_with_a_key_gets_the_reply_that_was_lost() -> None:
    """The first answer is lost on its way; the SDK repeats with the same header, and the bot is asked once."""
    with LiveServer(program=SERVICE, first_word_seconds=60) as server, Upstream() as upstream:
        losing = Losing()

        def speak() -> None:
            upstream.accept()
            upstream.say("one")
            upstream.say("two")
            losing.has_lost.wait(60)
            upstream.finish()

        speaking = threading.Thread(target=speak)
        speaking.start()
        with client_of(server, http_client=httpx.Client(transport=losing)) as client:
            stream = client.chat.completions.create(
                model="m", messages=said(upstream.message), stream=True, extra_headers={"Idempotency-Key": "0d9b3f6a"}
            )
            text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
        speaking.join()
        assert upstream.is_alone
    assert text == "one\ntwo\n"


class Losing(httpx.HTTPTransport):
    """Loses the first answer, when it has begun."""

    def __init__(self) -> None:
        """Loses nothing yet."""
        super().__init__()
        self.has_lost = threading.Event()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """As a connection that breaks would."""
        response = super().handle_request(request)
        if not self.has_lost.is_set():
            response.close()
            self.has_lost.set()
            raise httpx.ReadError("lost")
        return response
