"""The service with a real model, and the model's process as seen by the operating system."""

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
    """The service with the bot `local`, which may still be loading its model. Short replies, two at a time.

    The temperature is 0, so that results are reproducible.
    """
    modest = {"local_context_tokens": 512, "local_slots": 2, "max_tokens": 16, "temperature": 0}
    settings = {"first_word_seconds": 60} | modest | settings
    with LiveServer("local", program=program, start_seconds=60, **settings) as server:
        try:
            yield server
        finally:
            for process in model_processes(server):  # a suspended process would not notice the end of the service
                process.resume()


def ask(server: LiveServer, sent: bytes) -> Answer:
    """Send one request on its own connection."""
    with Wire(server.port) as wire:
        wire.send(sent)
        return wire.answer()


def chat(message: str, conversation_id: str | None = None) -> bytes:
    """A request for a reply as JSON."""
    body = {"user_message": message} | ({"conversation_id": conversation_id} if conversation_id else {})
    return request(json.dumps(body).encode(), path=WHOLE)


def until_ready(server: LiveServer) -> None:
    """Wait until the service is ready.

    Raises `AssertionError` with the log if that takes too long.
    """
    for answer in _polled(server):
        if answer.status == 200:
            return
        assert answer.problem_code() == "bot-unavailable"


def until_unready(server: LiveServer) -> Answer:
    """Wait until the service is not ready any more; returns its response."""
    return next(answer for answer in _polled(server) if answer.status != 200)


def _polled(server: LiveServer) -> Iterator[Answer]:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        yield ask(server, get("/api/ready"))
        time.sleep(0.02)
    raise AssertionError(f"nothing changes within {_PATIENCE_SECONDS} s. The log:\n{server.log()}")


def model_processes(server: LiveServer) -> list[psutil.Process]:
    """The model processes of the service that are alive."""
    with suppress(psutil.NoSuchProcess):
        return [process for process in psutil.Process(server.process.pid).children() if _runs_a_model(process)]
    return []


def _runs_a_model(process: psutil.Process) -> bool:
    """Whether it is a model's process: neither ended nor still before `exec`."""
    with suppress(psutil.NoSuchProcess):
        return "app.bots.llama" in process.cmdline()
    return False


def model_process(server: LiveServer) -> psutil.Process:
    """Wait for the only model process."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not (processes := model_processes(server)):
        assert time.monotonic() < deadline, server.log()
        time.sleep(0.005)
    (process,) = processes
    return process


def ends(process: psutil.Process) -> bool:
    """Whether a process ends in time. A zombie counts as ended."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    with suppress(psutil.NoSuchProcess):
        while process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
    return True
