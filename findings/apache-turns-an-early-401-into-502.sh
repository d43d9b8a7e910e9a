#!/bin/sh
# Behind Apache, a server that refuses a large upload early (401, 413, 429) is reported as 502 Proxy Error.
#
# Version:  Apache httpd 2.4.71 (Debian 12)
# Expected: HTTP lets a server answer before it has read the body. The proxy passes the answer on.
# Seen:     mod_proxy_http reads the answer only after it has sent the whole body. A server that answers and closes
#           makes that fail, and the client gets 502, although the answer has arrived. A direct client reads the 401.
#           Small bodies work, because they fit into the socket's buffers: tests with small bodies pass.
# Matters:  to contracts that promise 401 or 413 and limit the body's size: behind Apache, read (a bounded part of) the
#           body before you answer. Many clients repeat a 502, with the same large body.
# Needs:    Python 3.11; apache2 on PATH with its modules, as Debian installs them
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
cd "$dir"
cat >find.py <<'PY'
import http.client
import pathlib
import socket
import subprocess
import threading
import time

listener = socket.create_server(("127.0.0.1", 0))
direct = listener.getsockname()[1]


def refuse(connection):
    """Answers once the head is there, says that nothing more will come, and closes a little later."""
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(1024)
    connection.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 7\r\nConnection: close\r\n\r\nrefused")
    connection.shutdown(socket.SHUT_WR)
    time.sleep(0.5)
    connection.close()


def upstream():
    while True:
        threading.Thread(target=refuse, args=(listener.accept()[0],), daemon=True).start()


threading.Thread(target=upstream, daemon=True).start()
with socket.create_server(("127.0.0.1", 0)) as free:
    proxy = free.getsockname()[1]
modules = ("mpm_event", "authz_core", "proxy", "proxy_http")
loaded = "".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n" for name in modules)
pathlib.Path("apache.conf").write_text(
    f"ServerRoot {pathlib.Path.cwd()}\nServerName localhost\nListen 127.0.0.1:{proxy}\nPidFile pid\nErrorLog errors\n"
    f"{loaded}ProxyPass / http://127.0.0.1:{direct}/\n"
)


def status(port, size):
    for _ in range(100):
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            client.connect()
            break
        except ConnectionRefusedError:
            time.sleep(0.1)
    try:
        client.request("POST", "/", b"x" * size)
    except (BrokenPipeError, ConnectionResetError):
        pass  # the answer can be read nevertheless
    return client.getresponse().status


apache = subprocess.Popen(["apache2", "-X", "-f", str(pathlib.Path("apache.conf").resolve())])
try:
    seen = [status(port, size) for size in (100, 8_000_000) for port in (direct, proxy)]
finally:
    apache.terminate()
    apache.wait()
print("100 bytes: direct %d, through Apache %d; 8 MB: direct %d, through Apache %d" % tuple(seen))
same = seen == [401, 401, 401, 502]
print("As described: the early answer becomes 502." if same else "This has changed.")
raise SystemExit(not same)
PY
timeout 60 python3 find.py
