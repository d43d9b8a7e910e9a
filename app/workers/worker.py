"""A worker: serves the application like a single process, on sockets that it shares with others."""

import asyncio
import socket
from contextlib import suppress
from types import FrameType
from typing import Any

import uvicorn

from app import logs
from app.chat.replies import Replies
from app.main import create_app
from app.server.draining import Server
from app.server.files import allow_files
from app.server.sharing import Counts, Share
from app.serving import configured
from app.start_errors import exit_status, lines, show_where
from app.telemetry.counting import Block
from app.workers.channel import Alive, Answer, Failed, Order, Ready, Task, answer, received

_MOST_ORDERS = 64


def work(descriptor: int) -> int:
    """Serve until the parent, at the other end of the channel, says so or ends. Returns the exit status."""
    with socket.socket(fileno=descriptor) as channel:
        try:
            task = received(channel)
        except (EOFError, OSError):
            return 0
        settings = task.settings
        logs.configure(settings.log_level, settings.log_format, worker=task.number)
        try:
            return _serve(task, channel)
        except Exception as error:  # noqa: BLE001 - whatever it is, the parent tells it, once for all workers
            show_where(error)
            status = exit_status(error)
            _say(channel, Failed(status, tuple(lines(error))))
            return status


class WorkerServer(Server):
    """Drains when the parent says so, or dies, or when it is signalled itself: then the others take its place."""

    def __init__(
        self, config: uvicorn.Config, replies: Replies, drain_seconds: float, channel: socket.socket, share: Share
    ) -> None:
        """`channel` leads to the parent; connections come from the `share`."""
        super().__init__(config, replies, drain_seconds)
        self._channel = channel
        self._share = share

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's
        """Leave new connections to the other workers, and drain. More signals do not count; the parent's orders do."""
        asyncio.get_running_loop().call_soon_threadsafe(self._leave)

    async def startup(self, sockets: list[Any] | None = None) -> None:  # noqa: ARG002 - uvicorn's
        """Start, and listen to the parent."""
        self._share.connect(self._new_protocol, lambda: len(self.server_state.connections))
        asyncio.get_running_loop().add_reader(self._channel.fileno(), self._obey)
        await super().startup([])

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second, tell the other workers how many connections there are."""
        self._share.publish()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[Any] | None = None) -> None:
        """Take no more connections, and close."""
        self._share.close_listeners()
        await super().shutdown(sockets)

    def _new_protocol(self) -> asyncio.Protocol:
        protocol: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]  # as in uvicorn
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol

    def _obey(self) -> None:
        try:
            orders = self._channel.recv(_MOST_ORDERS)
        except BlockingIOError:
            return  # there is nothing after all
        except OSError:
            orders = b""
        if not orders:  # the parent is dead: whoever starts the service anew needs the port
            asyncio.get_running_loop().remove_reader(self._channel.fileno())
            self._share.close_listeners()
            self._drain_or_end()
        for order in orders:
            self._do(Order(bytes([order])))

    def _do(self, order: Order) -> None:
        match order:
            case Order.BEGIN:
                pass  # it has
            case Order.ACCEPT:
                if self._draining is None:
                    self._share.open()
            case Order.ANSWER:
                _say(self._channel, Alive())
            case Order.DRAIN:
                self._share.open()  # to say that it drains: no other worker does otherwise
                self._drain_or_end()
            case Order.STOP:
                self.force_exit = self.should_exit = True

    def _leave(self) -> None:
        if self._draining is None:
            self._share.close()
            self._drain_or_end()

    def _drain_or_end(self) -> None:
        if self.started:
            self.begin_to_drain()
        else:
            self.should_exit = True


def _serve(task: Task, channel: socket.socket) -> int:
    settings = task.settings
    listeners = [socket.socket(fileno=descriptor) for descriptor in task.listeners]
    for listener in listeners:
        listener.setblocking(False)  # noqa: FBT003 - positional only
    app = create_app(settings, block=Block(task.metrics, task.number - 1, task.workers))
    if channel.recv(1) != Order.BEGIN.value:
        return 0
    channel.setblocking(False)  # noqa: FBT003 - positional only
    allow_files(settings.max_open_streams)

    def begin() -> None:
        _say(channel, Ready(has_keys=app.state.gate.has_keys))

    config = configured(settings, app, listeners, begin)
    share = Share(listeners, Counts(task.counts, task.workers), task.number - 1)
    server = WorkerServer(config, app.state.replies, settings.drain_seconds, channel, share)
    server.run()
    return 0 if server.started else 3


def _say(channel: socket.socket, what: Answer) -> None:
    with suppress(OSError):  # the parent may be dead, which the channel says as well
        channel.sendall(answer(what))
