"""The test as the backend of a bot in a live server, so that it knows when the bot starts and when it disconnects."""

import select
import socket
import time
from types import TracebackType
from typing import Self

_TIMEOUT_SECONDS = 60.0


class Upstream:
    """A listening socket for one connection at a time. A context manager.

    The message `relay <port>` makes the bot of `tests.support.service` connect here and yield what it receives.
    """

    def __init__(self) -> None:
        """Listen."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(_TIMEOUT_SECONDS)
        self._connections: list[socket.socket] = []
        self.message = f"relay {self._listener.getsockname()[1]}"
        """The message to send."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close everything."""
        self._listener.close()
        for connection in self._connections:
            connection.close()

    def accept(self) -> None:
        """Wait for the next connection of a bot."""
        connection, _ = self._listener.accept()
        connection.settimeout(_TIMEOUT_SECONDS)
        self._connections.append(connection)

    def say(self, text: str) -> None:
        """Send the bot a line."""
        self._connections[-1].sendall(text.encode() + b"\n")

    def break_off(self) -> None:
        """Make the bot fail."""
        self.say("!")

    @property
    def is_alone(self) -> bool:
        """Whether no other bot has connected."""
        return not select.select([self._listener], [], [], 0)[0]

    def finish(self) -> None:
        """Let the bot finish."""
        self._connections[-1].close()

    def when_hung_up(self) -> float:
        """Wait until the bot disconnects. Returns the time of that, by `time.monotonic`."""
        try:
            while self._connections[-1].recv(1024):
                pass
        except ConnectionResetError:
            pass
        return time.monotonic()
