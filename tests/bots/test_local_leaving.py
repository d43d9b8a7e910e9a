"""Who leaves while the real model reads a long message frees its slot soon: the rest of the message is not read."""

import time

import psutil

from tests.support.local import ask, chat, local_server, model_process, until_ready
from tests.support.wire import Wire, cancel, post

_DIGITS = 300
"""Each is a token: ten batches."""

_PATIENCE_SECONDS = 60


def _cpu_seconds(model: psutil.Process) -> float:
    """What it has taken so far. Unlike the time, that does not depend on what else the machine does."""
    times = model.cpu_times()
    return float(times.user + times.system)


def _until_it_has_taken(model: psutil.Process, cpu_seconds: float) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while _cpu_seconds(model) < cpu_seconds:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_message_that_nobody_waits_for_any_more_is_not_read_to_its_end() -> None:
    """Neither if the connection is lost nor if the reply is cancelled. The one slot is free for the next message."""
    with local_server(
        local_slots=1, local_context_tokens=384, max_tokens=1, resume_window_seconds=0, first_word_seconds=0.05
    ) as server:
        until_ready(server)
        model = model_process(server)
        before = _cpu_seconds(model)
        assert ask(server, chat("1" * _DIGITS)).json()["usage"]["prompt_tokens"] > _DIGITS
        whole = _cpu_seconds(model) - before
        for digit, is_cancelled in (("2", False), ("3", True)):
            before = _cpu_seconds(model)
            with Wire(server.port) as wire:
                wire.send(post(digit * _DIGITS))
                _until_it_has_taken(model, before + whole / 8)
                if is_cancelled:
                    with Wire(server.port) as other:
                        other.send(cancel(wire.head()[1]["reply-id"]))
                        assert other.head()[0] == 204
            assert ask(server, chat("hello")).json()["usage"]["completion_tokens"] == 1
            assert _cpu_seconds(model) - before < whole * 3 / 4, (is_cancelled, whole)
