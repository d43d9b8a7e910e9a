"""A forward proxy: a real one on a socket, which remembers what it was asked. All names lead to this machine."""

import base64
import socket
import threading
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_PATIENCE_SECONDS = 20


class ForwardProxy:
    """Takes `CONNECT`, and requests with whole URLs. A context manager."""

    def __init__(self, credentials: str = "", status: int = 0) -> None:
        """It wants `credentials`, such as `user:password`, if there are any; a `status` is its answer to all."""
        self.asked: list[str] = []
        """The first line of each request, without its version."""
        self.heads: list[str] = []
        self._status = status
        self._wanted = base64.b64encode(credentials.encode()).decode()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name="forward proxy", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[client], name="proxied", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            client.settimeout(_PATIENCE_SECONDS)
            data = b""
            while b"\r\n\r\n" not in data:
                piece = client.recv(2**16)
                if not piece:
                    return
                data += piece
            head, _, rest = data.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            method, target, version = first.split(" ")
            self.asked.append(f"{method} {target}")
            self.heads.append(head.decode("latin-1"))
            if self._status or (self._wanted and f"Proxy-Authorization: Basic {self._wanted}" not in lines):
                client.sendall(
                    b"HTTP/1.1 %d No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % (self._status or 407)
                )
                return
            url = urlsplit(f"//{target}" if method == "CONNECT" else target)
            with socket.create_connection(("127.0.0.1", url.port or 80), _PATIENCE_SECONDS) as server:
                if method == "CONNECT":
                    client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                    server.sendall(rest)
                else:
                    path = url.path + (f"?{url.query}" if url.query else "")
                    kept = [line for line in lines if not line.lower().startswith(("proxy-", "connection:"))]
                    asked = [f"{method} {path} {version}", *kept, "Connection: close"]
                    server.sendall("\r\n".join(asked).encode("latin-1") + b"\r\n\r\n" + rest)
                back = threading.Thread(target=_pass, args=[server, client], daemon=True)
                back.start()
                _pass(client, server)
                back.join(_PATIENCE_SECONDS)


def _pass(source: socket.socket, target: socket.socket) -> None:
    try:
        while piece := source.recv(2**16):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # one side has left
