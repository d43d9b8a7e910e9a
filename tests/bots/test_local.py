"""The bot `local` in the real service, with the real model: it loads, replies, and is accessible to nobody else."""

import re
from collections.abc import Iterator
from itertools import pairwise

import httpx
import psutil
import pytest

from generated.models import Usage
from tests.support.llama import LlamaServer, small_model
from tests.support.local import ask, chat, local_server, model_process, until_ready
from tests.support.server import FROM_SCRATCH, LiveServer
from tests.support.wire import Wire, get, post

_KEY = re.compile(r"[A-Za-z0-9_-]{43}")
"""The form of the bot's generated key; nothing else in the log is a word of this length."""


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """One server for all tests that only send messages."""
    with local_server(FROM_SCRATCH, log_level="debug", local_context_tokens=256) as server:
        until_ready(server)
        yield server


@pytest.fixture(scope="module")
def engine() -> Iterator[LlamaServer]:
    """The same model without the service, to count tokens with."""
    with LlamaServer() as engine:
        yield engine


def test_until_the_model_is_loaded_the_service_says_so() -> None:
    """It is up, but not ready; requests are refused with `Retry-After`; the log shows the progress."""
    with local_server() as server:
        model = model_process(server)
        model.suspend()  # however fast the machine is
        for sent in (get("/api/ready"), post("hello"), chat("hello")):
            answer = ask(server, sent)
            assert (answer.status, answer.problem_code()) == (503, "bot-unavailable")
            assert int(answer.headers["retry-after"]) >= 1
        assert ask(server, get("/api/health")).status == 200
        server.wait_for_log(lambda line: re.search(r"loading the model: 2 s, about \d+ %", line) is not None)
        model.resume()
        until_ready(server)
        assert ask(server, post("hello")).transcript().reply.text
        events = [str(entry["event"]) for entry in server.log_entries() if entry.get("logger") == "app.bots.local"]
    assert events[0] == f"loading the model {small_model().name}, 98 MB"
    assert re.fullmatch(r"the model is loaded after \d+\.\d s", events[-1])


def test_a_real_reply_is_streamed_word_by_word(server: LiveServer) -> None:
    """As it is generated: a word or two at a time; and its usage is reported."""
    with Wire(server.port) as wire:
        wire.send(post("Tell me about the sea."))
        status, _ = wire.head()
        assert status == 200
        portions = list(iter(wire.chunk, b""))
        assert len(portions) > 8
        wire.send(post("Tell me about the sea."))
        transcript = wire.answer().transcript()
    reply = transcript.reply
    assert len(transcript.words) > 8
    assert re.search("[A-Za-z]{3}", reply.text)
    assert reply.finish_reason == "length"
    assert isinstance(reply.usage, Usage)
    assert reply.usage.completion_tokens == 16


def test_a_reply_ends_where_the_model_ends_it(server: LiveServer) -> None:
    """With the finish reason `stop`."""
    reply = ask(server, chat("hello")).json()
    assert reply["finish_reason"] == "stop"
    assert reply["usage"]["completion_tokens"] < 16


def test_with_history_the_model_is_given_the_earlier_turns(server: LiveServer, engine: LlamaServer) -> None:
    """All of them, each once: the model counts exactly the tokens of the whole conversation."""
    said: list[dict[str, str]] = []
    conversation_id = None
    counted = []
    for question in ("My name is Ada.", "I live in London.", "What did I tell you?"):
        said.append({"role": "user", "content": question})
        reply = ask(server, chat(question, conversation_id)).json()
        conversation_id = reply["conversation_id"]
        counted.append(reply["usage"]["prompt_tokens"])
        assert counted[-1] == engine.tokens(said)
        said.append({"role": "assistant", "content": reply["text"]})
    assert all(more > less for less, more in pairwise(counted))


def test_the_system_prompt_reaches_the_model(engine: LlamaServer) -> None:
    """Before the conversation."""
    prompt = "You are a parrot. You say what you hear."
    with local_server(system_prompt=prompt) as server:
        until_ready(server)
        reply = ask(server, chat("hello")).json()
    told = [{"role": "system", "content": prompt}, {"role": "user", "content": "hello"}]
    assert reply["usage"]["prompt_tokens"] == engine.tokens(told)


def test_a_message_that_is_too_long_for_the_model_is_refused(server: LiveServer) -> None:
    """The client is told why."""
    answer = ask(server, chat("1234567890" * 30))
    assert (answer.status, answer.problem_code()) == (422, "message-refused")
    (error,) = answer.json()["errors"]
    assert error["detail"] == "This is longer than the model accepts. Send less, or start a new conversation."


def test_a_conversation_that_is_too_long_for_the_model_goes_on(server: LiveServer, engine: LlamaServer) -> None:
    """Without what does not fit: each digit is a token, which the bot underestimates."""
    conversation_id = None
    for number in range(2):
        message = f"{number}" * 130
        reply = ask(server, chat(message, conversation_id)).json()
        conversation_id = reply["conversation_id"]
        assert reply["usage"]["prompt_tokens"] == engine.tokens([{"role": "user", "content": message}])


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer x"}, {"X-Api-Key": "x"}], ids=["none", "wrong", "x"])
def test_nobody_else_can_use_the_models_server(server: LiveServer, headers: dict[str, str]) -> None:
    """It listens only on loopback, and requires a key for everything that has an effect."""
    listening = [c.laddr for c in model_process(server).net_connections() if c.status == psutil.CONN_LISTEN]
    ((host, port),) = listening
    assert host == "127.0.0.1"
    with httpx.Client(base_url=f"http://{host}:{port}", headers=headers, trust_env=False) as client:
        for path in ("/v1/chat/completions", "/completion", "/infill", "/tokenize", "/apply-template", "/v1/messages"):
            assert client.post(path, json={"prompt": "x", "content": "x", "messages": []}).status_code == 401, path
        for path in ("/v1/models", "/props", "/slots", "/metrics", "/lora-adapters"):
            assert client.get(path).status_code == 401, path
        assert client.get("/").status_code == 404


def test_the_key_is_where_nobody_sees_it(server: LiveServer) -> None:
    """Neither among the arguments of the process, nor in its environment, nor in the log at its most talkative."""
    ask(server, post("hello"))
    service = psutil.Process(server.process.pid)
    model = model_process(server)
    assert model.cmdline()[1:] == ["-m", "app.bots.llama"]
    assert model.environ() == service.environ()
    assert server.log_entries()
    assert _KEY.findall(server.log()) == []
