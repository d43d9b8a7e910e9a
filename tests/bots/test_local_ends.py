"""However the model's process ends, the service survives; however the service ends, the model's process ends, too."""

import os
import signal
import time

import anyio
import pytest

from app.bots.local import Local, LocalModel
from generated.models import Usage
from tests.support.llama import LlamaServer
from tests.support.local import (
    ask,
    chat,
    ends,
    local_server,
    model_process,
    model_processes,
    until_ready,
    until_unready,
)
from tests.support.server import LiveServer
from tests.support.wire import Answer, Wire, get, post

_LONG = post("Write a very long story about a ship.")
_BY_SIGTERM = -signal.SIGTERM
"""The exit status after an orchestrator's stop: the service drains, then re-raises the signal."""


def _first_words(wire: Wire) -> bytes:
    """Request a long reply, and wait until it has started."""
    wire.send(_LONG)
    status, _ = wire.head()
    assert status == 200
    return wire.chunk()


def _rest(wire: Wire, begun: bytes) -> Answer:
    return Answer(200, {}, begun + b"".join(iter(wire.chunk, b"")))


def test_a_model_that_is_killed_fails_its_reply_and_comes_back() -> None:
    """The running reply fails, those that wait or come next are refused, and then it works without any intervention."""
    with local_server(max_tokens=250, local_slots=1) as server:
        until_ready(server)
        model = model_process(server)
        with Wire(server.port) as wire, Wire(server.port) as queued:
            begun = _first_words(wire)
            queued.send(chat("hello"))
            begun += wire.chunk()  # so that it has arrived
            model.kill()
            transcript = _rest(wire, begun).transcript()
            answer = queued.answer()
            assert (answer.status, answer.problem_code()) == (503, "bot-unavailable")
        assert transcript.words
        assert transcript.problem.type == "urn:problem:bot-failed"
        assert until_unready(server).problem_code() == "bot-unavailable"
        refused = ask(server, chat("hello"))
        assert (refused.status, refused.problem_code()) == (503, "bot-unavailable")
        assert int(refused.headers["retry-after"]) >= 1
        until_ready(server)
        assert model_process(server).pid != model.pid
        assert ask(server, post("hello")).transcript().reply.text
        assert "the model's process ended: too little memory. Next: " in server.log()
        assert "Traceback" not in server.log()


def test_a_service_that_is_killed_takes_the_model_with_it() -> None:
    """It notices that its input is closed."""
    with local_server(max_tokens=250) as server, Wire(server.port) as wire:
        until_ready(server)
        model = model_process(server)
        _first_words(wire)
        server.process.kill()
        assert ends(model)


def test_a_model_that_is_left_while_it_loads_ends_when_it_has() -> None:
    """Nobody reads its address any more."""
    engine = LlamaServer()
    engine.start()
    assert engine.leave() == 0


def test_a_service_that_is_stopped_while_the_model_loads_leaves_nothing_behind() -> None:
    """In time, and without warnings."""
    with local_server() as server:
        model = model_process(server)
        server.terminate()
        assert server.wait() == _BY_SIGTERM
        assert not model.is_running()
        _assert_calm(server)


def test_a_service_that_is_stopped_while_the_model_speaks_leaves_nothing_behind() -> None:
    """A reply that outlasts the drain fails as with every bot: with its text so far, and retryable."""
    with local_server(max_tokens=250, drain_seconds=0.2) as server, Wire(server.port) as wire:
        until_ready(server)
        model = model_process(server)
        begun = _first_words(wire)
        server.terminate()
        problem = _rest(wire, begun).transcript().problem
        assert (problem.type, problem.retryable) == ("urn:problem:draining", True)
        assert server.wait() == _BY_SIGTERM
        assert not model.is_running()
        _assert_calm(server)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_running_reply_may_finish_though_all_processes_are_told_to_stop(number: signal.Signals) -> None:
    """A terminal signals its foreground group, which the model is not part of; orchestrators signal all processes."""
    with local_server(max_tokens=40) as server, Wire(server.port) as wire:
        until_ready(server)
        model = model_process(server)
        assert os.getpgid(model.pid) != os.getpgid(server.process.pid)
        begun = _first_words(wire)
        if number == signal.SIGTERM:
            model.terminate()
        server.process.send_signal(number)
        reply = _rest(wire, begun).transcript().reply
        assert isinstance(reply.usage, Usage)
        assert reply.usage.completion_tokens == 40
        assert server.wait() in {-number, 130}
        assert not model.is_running()
        _assert_calm(server)


def _assert_calm(server: LiveServer) -> None:
    assert "Traceback" not in server.log()
    assert not [entry for entry in server.log_entries() if entry["level"] in {"warning", "error"}]


def test_a_model_that_is_killed_while_it_loads_is_told_of_and_tried_again() -> None:
    """As the kernel does when memory is short."""
    with local_server() as server:
        model_process(server).kill()
        server.wait_for_log(lambda line: "the model could not be loaded: too little memory. Next: " in line)
        assert ask(server, get("/api/health")).status == 200
        server.wait_for_log(lambda line: "the model will be restarted in 2 s" in line)
        assert not model_processes(server)
        assert "Traceback" not in server.log()


async def test_a_process_that_ends_before_it_is_told_what_to_do_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Python cannot start here, and the event loop is slow, so that the process has ended before it is written to."""
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    model = LocalModel(path=None, context_tokens=256, slots=1, max_tokens=None, temperature=None, system_prompt=None)
    async with Local(model) as bot, anyio.create_task_group() as group:

        async def slow_down() -> None:
            while True:
                time.sleep(0.1)  # noqa: ASYNC251 - the point of the test
                await anyio.lowlevel.checkpoint()

        group.start_soon(slow_down)
        with anyio.fail_after(60):
            while not any("the model will be restarted in 2 s" in message for message in caplog.messages):
                await anyio.sleep(0.001)
        assert not bot.is_ready
        assert any("the model could not be loaded" in message for message in caplog.messages)
        group.cancel_scope.cancel()
