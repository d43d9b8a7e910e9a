"""The service with a real model, and its model's process as the operating system sees it."""

import json
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress

import psutil

from tests.support.addresses import WHOLE
from tests.support.server import LiveServer
from tests.support.wire import Answer, Wire, get, request

_PATIENCE_SECONDS = 30.0


@contextmanager
def local_server(program: Sequence[str] = ("-m", "app"), **settings: object) -> Generator[LiveServer, None, None]:
    """The service with the bot `local`, which may still load its model. It gives short replies, two at once.

    At temperature 0, so that a test sees the same each time.
    """
    modest = {"local_context_tokens": 512, "local_slots": 2, "max_tokens": 16, "temperature": 0}
    settings = {"first_word_seconds": 60} | modest | settings
    with LiveServer("local", program=program, start_seconds=60, **settings) as server:
        try:
            yield server
        finally:
            for process in model_processes(server):  # what a test has stopped would not see the service end
                process.resume()


def ask(server: LiveServer, sent: bytes) -> Answer:
    """One request, on a connection of its own."""
    with Wire(server.port) as wire:
        wire.send(sent)
        return wire.answer()


def chat(message: str, conversation_id: str | None = None) -> bytes:
    """A request for a reply as JSON."""
    body = {"user_message": message} | ({"conversation_id": conversation_id} if conversation_id else {})
    return request(json.dumps(body).encode(), path=WHOLE)


def until_ready(server: LiveServer) -> None:
    """Wait until the service takes replies.

    Raises `AssertionError` with the log if that takes too long.
    """
    for answer in _polled(server):
        if answer.status == 200:
            return
        assert answer.problem_code() == "bot-unavailable"


def until_unready(server: LiveServer) -> Answer:
    """Wait until the service does not take replies any more; what it says then."""
    return next(answer for answer in _polled(server) if answer.status != 200)


def _polled(server: LiveServer) -> Iterator[Answer]:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        yield ask(server, get("/api/ready"))
        time.sleep(0.02)
    raise AssertionError(f"nothing changes within {_PATIENCE_SECONDS} s. The log:\n{server.log()}")


def model_processes(server: LiveServer) -> list[psutil.Process]:
    """Those that the service has started and that live."""
    with suppress(psutil.NoSuchProcess):
        return [process for process in psutil.Process(server.process.pid).children() if _runs_a_model(process)]
    return []


def _runs_a_model(process: psutil.Process) -> bool:
    """Not one that has ended, nor one that is about to become a model's process."""
    with suppress(psutil.NoSuchProcess):
        return "app.bots.llama" in process.cmdline()
    return False


def model_process(server: LiveServer) -> psutil.Process:
    """The one, once it has been started."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not (processes := model_processes(server)):
        assert time.monotonic() < deadline, server.log()
        time.sleep(0.005)
    (process,) = processes
    return process


def ends(process: psutil.Process) -> bool:
    """Whether a process ends, or has. One that nobody has waited for yet has ended, too."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    with suppress(psutil.NoSuchProcess):
        while process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
    return True
