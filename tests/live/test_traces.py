"""Traces as a collector receives them: a span a reply, the engine's below it, in the client's trace, without text."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from app.main import create_app
from tests.docs.pages import ROOT
from tests.support.addresses import CHAT, WHOLE
from tests.support.asgi import Client
from tests.support.bots import no_open_reply
from tests.support.collector import Collector, Received
from tests.support.completions import DONE, answer, begun, chunk, finish, speaks, stream, usage
from tests.support.engine import FakeEngine
from tests.support.scraping import answer_at
from tests.support.server import FROM_SCRATCH, LiveServer
from tests.support.settings import Settings
from tests.support.wire import Wire, post

_CANARY = "yellow-canary-5150"
_TRACE, _SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
_SAMPLED = {"Traceparent": f"00-{_TRACE}-{_SPAN}-01", "Tracestate": "vendor=value"}

_SERVER, _CLIENT = 2, 3
"""Kinds of spans, as the protocol has them."""


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector, which the standard variable names."""
    with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        yield collector


@asynccontextmanager
async def _traced(**settings: object) -> AsyncIterator[Client]:
    """A service with traces; at the end, all are sent."""
    app = create_app(Settings.model_validate({"bot": "simulator", "traces": True, **settings}))
    async with Client(app) as client:
        yield client
        await no_open_reply(app)


def _on(engine: FakeEngine, **more: object) -> dict[str, object]:
    return {"bot": "openai", "openai_base_url": engine.url, "openai_model": "m-1", **more}


async def test_a_reply_is_a_span_of_the_clients_trace(collector: Collector) -> None:
    """With the first word as an event, how it ended, and the ids with which it is found."""
    async with _traced() as client:
        answered = await client.request("POST", CHAT, json={"user_message": "a b c"}, headers=_SAMPLED)
    (span,) = collector.spans()
    assert set(collector.paths) == {"/v1/traces"}
    assert (span.name, span.kind, span.trace_id, span.parent_id) == ("reply", _SERVER, _TRACE, _SPAN)
    assert span.events == ["first word"]
    assert span.attributes == {
        "chat.bot": "simulator",
        "chat.reply.id": answered.headers["reply-id"],
        "gen_ai.conversation.id": answered.headers["conversation-id"],
        "chat.outcome": "completed",
        "chat.words": 3,
    }
    assert not span.is_error
    assert span.start_ns <= span.end_ns
    assert span.resource["service.name"] == "chat-backend"
    assert re.fullmatch("[0-9a-f-]{36}", str(span.resource["service.instance.id"]))


@pytest.mark.parametrize(
    ("message", "outcome", "error", "events"),
    [
        ("/simulate fail_after=2\na b c", "failed", "bot-failed", ["first word"]),
        ("/simulate status=503\n", "failed", "bot-unavailable", []),
    ],
)
async def test_a_reply_that_fails_is_an_error(
    collector: Collector, message: str, outcome: str, error: str, events: list[str]
) -> None:
    """With the type of the problem. A trace begins here if the client has none."""
    async with _traced() as client:
        await client.request("POST", WHOLE, json={"user_message": message})
    (span,) = collector.spans()
    assert (span.attributes["chat.outcome"], span.attributes["error.type"]) == (outcome, error)
    assert (span.is_error, span.events, span.parent_id) == (True, events, "")


async def test_a_reply_that_nobody_reads_is_no_error(collector: Collector) -> None:
    """The reader has left."""
    async with (
        _traced() as client,
        client.stream("POST", CHAT, json={"user_message": "/simulate stall_after=2\na b c"}) as response,
    ):
        assert response.status == 200
    (span,) = collector.spans()
    assert (span.attributes["chat.outcome"], span.is_error) == ("abandoned", False)


def _below(spans: list[Received]) -> tuple[Received, list[Received]]:
    """The reply, and the requests to the engine."""
    (reply,) = [span for span in spans if span.name == "reply"]
    return reply, [span for span in spans if span is not reply]


async def test_the_request_to_the_engine_is_below_it(collector: Collector) -> None:
    """By the conventions for generative AI; the engine gets the context in its headers."""
    script = stream(chunk("Hi "), chunk("there"), finish(), usage(7, 2), DONE)
    async with FakeEngine(script) as engine, _traced(**_on(engine, max_tokens=50, temperature=0.5)) as client:
        await client.request("POST", WHOLE, json={"user_message": "hello"}, headers=_SAMPLED)
        sent = engine.exchanges[0].headers
    reply, (call,) = _below(collector.spans())
    assert (call.name, call.kind, call.trace_id, call.parent_id) == ("chat m-1", _CLIENT, _TRACE, reply.span_id)
    assert sent["traceparent"] == f"00-{_TRACE}-{call.span_id}-01"
    assert sent["tracestate"] == "vendor=value"
    first = call.attributes.pop("gen_ai.response.time_to_first_chunk")
    assert isinstance(first, float)
    assert first > 0
    assert call.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.max_tokens": 50,
        "gen_ai.request.model": "m-1",
        "gen_ai.request.stream": True,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 2,
        "server.address": "127.0.0.1",
        "server.port": int(engine.url.split(":")[2].partition("/")[0]),
    }


async def test_old_names_are_added_on_request(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    """For whoever has dashboards with them."""
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "http/dup, gen_ai/dup")
    script = stream(chunk("Hi "), finish(), usage(7, 2), DONE)
    async with FakeEngine(script) as engine, _traced(**_on(engine)) as client:
        await client.request("POST", WHOLE, json={"user_message": "hello"})
    _, (call,) = _below(collector.spans())
    for new, old in (
        ("gen_ai.provider.name", "gen_ai.system"),
        ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
        ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    ):
        assert call.attributes[new] == call.attributes[old]


async def test_each_request_to_the_engine_ends_as_it_did(collector: Collector) -> None:
    """Failed, with the type of the problem; cancelled, without being an error."""
    async with (
        FakeEngine(answer(500), begun(chunk("Hi "), chunk("there "))) as engine,
        _traced(**_on(engine)) as client,
    ):
        await client.request("POST", WHOLE, json={"user_message": "hello"})
        async with client.stream("POST", CHAT, json={"user_message": "hello"}) as response:
            assert response.status == 200
    calls = [span for span in collector.spans() if span.name != "reply"]
    assert [(call.attributes["error.type"], call.is_error) for call in calls] == [
        ("bot-failed", True),
        ("cancelled", False),
    ]


async def test_what_is_not_sampled_is_not_sent_and_says_so_to_the_engine(collector: Collector) -> None:
    """The client decides."""
    async with FakeEngine(speaks("Hi ")) as engine, _traced(**_on(engine)) as client:
        headers = {"Traceparent": f"00-{_TRACE}-{_SPAN}-00"}
        await client.request("POST", WHOLE, json={"user_message": "hello"}, headers=headers)
        assert engine.exchanges[0].headers["traceparent"].endswith("-00")
        assert _TRACE in engine.exchanges[0].headers["traceparent"]
    assert collector.spans() == []


async def test_replies_at_the_same_time_do_not_mix(collector: Collector) -> None:
    """Each request to the engine is below its own reply."""
    script = stream(0.05, chunk("Hi "), 0.05, finish(), DONE)
    async with (
        FakeEngine(script) as engine,
        _traced(**_on(engine)) as client,
        anyio.create_task_group() as tasks,
    ):
        for _ in range(8):
            tasks.start_soon(lambda: client.request("POST", WHOLE, json={"user_message": "hello"}))
    spans = collector.spans()
    replies = {span.span_id: span.trace_id for span in spans if span.name == "reply"}
    calls = {span.parent_id: span.trace_id for span in spans if span.name != "reply"}
    assert len(replies) == 8
    assert calls == replies


async def test_no_text_is_in_a_span(collector: Collector) -> None:
    """Of a user, a model, an engine's error or an exception; nor a key."""
    scripts = (
        speaks(f"{_CANARY} ", _CANARY),
        answer(400, {"error": {"message": _CANARY, "code": _CANARY}}),
        answer(500, _CANARY),
    )
    key = {"openai_api_key": f"key-{_CANARY}", "system_prompt": _CANARY}
    async with FakeEngine(*scripts) as engine, _traced(**_on(engine, **key)) as client:
        for _ in scripts:
            headers = {"Idempotency-Key": _CANARY, **_SAMPLED}
            await client.request("POST", WHOLE, json={"user_message": _CANARY}, headers=headers)
            await client.request("POST", WHOLE, json={"user_message": f"{_CANARY} again"})
    assert len(collector.spans()) > 6
    assert _CANARY.encode() not in b"".join(collector.bodies)


def test_the_first_word_has_its_trace_as_an_exemplar() -> None:
    """In OpenMetrics, in the bucket of its time; and the log names the trace of a reply."""
    with Collector() as collector:
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url
        try:
            server = LiveServer(traces="on")
        finally:
            del os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"]
        with server:
            with Wire(server.port) as wire:
                wire.send(post("hello there"))
                assert wire.answer().status == 200
            line = server.wait_for_log(lambda line: '"event":"reply"' in line)
            text = answer_at(server.port, {"Accept": "application/openmetrics-text"}).body.decode()
            server.terminate()
            assert server.wait() == -15
        (span,) = collector.spans()  # the last one is sent at the end
    (exemplar,) = re.findall(
        r'^chat_time_to_first_word_seconds_bucket{.*} 1\.0 # {trace_id="(\w+)"} ', text, re.MULTILINE
    )
    assert exemplar == span.trace_id
    assert f'"trace_id":"{span.trace_id}"' in line


@pytest.mark.parametrize("status", [500, None])
async def test_a_collector_that_does_not_take_them_disturbs_nothing(
    status: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails, or is not there: replies go on, and the service ends in time."""
    with Collector(status or 500) as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url if status else "http://127.0.0.1:1")
        with anyio.fail_after(20):
            async with _traced() as client:
                for _ in range(5):
                    answered = await client.request("POST", WHOLE, json={"user_message": "hello"})
                    assert answered.status == 200


_WITHOUT_PACKAGES = """
import sys
sys.modules["opentelemetry.sdk"] = None
sys.argv = ["app", "--port", "0"]
from app.command import main
sys.exit(main())
"""


def test_without_the_packages_it_is_one_line(tmp_path: Path) -> None:
    """With what to do."""
    ours = {"CHAT_TRACES": "on", "CHAT_DATABASE_URL": f"sqlite:///{tmp_path}/chat.db"}
    run = subprocess.run(
        [sys.executable, "-c", _WITHOUT_PACKAGES],
        cwd=ROOT,
        env=os.environ | ours,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert run.returncode == 2
    assert run.stderr == "CHAT_TRACES: traces need more packages. Next: scripts/setup telemetry, or CHAT_TRACES=off\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_HEADERS", f"Authorization: Bearer {_CANARY}"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", _CANARY),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "99999"),
    ],
)
def test_a_variable_that_cannot_be_used_is_one_line(tmp_path: Path, name: str, value: str) -> None:
    """Without its value, which may be a secret."""
    ours = {"CHAT_TRACES": "on", "CHAT_DATABASE_URL": f"sqlite:///{tmp_path}/chat.db"}
    run = subprocess.run(
        [sys.executable, "-m", "app", "--port", "0"],
        cwd=ROOT,
        env=os.environ | ours | {name: value},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert run.returncode == 2
    (line,) = run.stderr.splitlines()
    assert line.startswith("CHAT_TRACES: one of the variables OTEL_... has a value that cannot be used. Next: ")
    assert _CANARY not in line


@pytest.mark.parametrize("is_there", [True, False])
def test_a_collector_that_is_gone_does_not_hold_the_end_up(is_there: bool) -> None:  # noqa: FBT001 - a row
    """It accepts connections and says nothing, or is not there at all."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1] if is_there else 1
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{port}"
        try:
            server = LiveServer(traces="on", program=FROM_SCRATCH, start_seconds=60)
            with server:
                with Wire(server.port) as wire:
                    wire.send(post("hello there"))
                    assert wire.answer().status == 200
                server.terminate()
                assert server.wait(20) == -15
        finally:
            del os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"]


async def test_without_traces_the_engine_gets_no_context() -> None:
    """Nobody follows it."""
    async with FakeEngine(speaks("Hi ")) as engine:
        settings = Settings.model_validate(_on(engine))
        async with Client(create_app(settings)) as client:
            await client.request("POST", WHOLE, json={"user_message": "hello"}, headers=_SAMPLED)
        assert "traceparent" not in engine.exchanges[0].headers


def test_without_traces_the_sdk_is_not_imported() -> None:
    """It would cost a quarter of a second, and memory."""
    code = "import sys; from app.main import create_app; create_app(); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    assert "app.main" in run.stdout.split()
    assert "opentelemetry.sdk" not in run.stdout.split()
