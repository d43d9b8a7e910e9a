#!/bin/sh
# With nginx's default `proxy_http_version`, a stream whose upstream dies ends cleanly for the client, over HTTP/1.1.
#
# Version:  nginx 1.22.1 (Debian 12)
# Expected: nginx marks the end of a chunked answer only if the upstream had finished; else the client sees a cut.
# Seen:     nginx asks the upstream with HTTP/1.0, where closing the connection *is* the end. It then sends the client a
#           proper last chunk, and logs nothing. With `proxy_http_version 1.1` the same death reaches the client as an
#           incomplete read, and the log. (From 1.29.7 on nginx asks with 1.1 by default.)
# Matters:  to those who tell "finished" from "crashed" by the transport: it works in development, and stops behind
#           this proxy. A stream needs an end of its own (an event), and clients must wait for it.
# Needs:    Python 3.11, nginx on PATH
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

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
listener = socket.create_server(("127.0.0.1", 0))


def upstream():
    """Answers as each HTTP/1.1 server does, and dies after the first of many events."""
    while True:
        connection = listener.accept()[0]
        if b" HTTP/1.1\r\n" in connection.recv(65536):
            connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\nb\r\ndata: one\n\n\r\n")
        else:
            connection.sendall(HEAD + b"Connection: close\r\n\r\ndata: one\n\n")
        connection.close()


threading.Thread(target=upstream, daemon=True).start()
with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
here, target = pathlib.Path.cwd(), f"proxy_pass http://127.0.0.1:{listener.getsockname()[1]};"
temporary = "".join(f"{kind}_temp_path {here}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
pathlib.Path("nginx.conf").write_text(
    f"daemon off; master_process off; pid {here}/pid; error_log {here}/errors; events {{}} http {{ access_log off;"
    f"{temporary} server {{ listen 127.0.0.1:{port};"
    f"location /default {{ {target} }} location /1.1 {{ {target} proxy_http_version 1.1; }} }} }}"
)
nginx = subprocess.Popen(["nginx", "-e", "errors", "-p", str(here), "-c", "nginx.conf"])
seen = []
try:
    for path in ("/default", "/1.1"):
        for _ in range(100):
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            try:
                client.request("GET", path)
                break
            except ConnectionRefusedError:
                time.sleep(0.1)
        answer = client.getresponse()
        try:
            seen.append((answer.headers["Transfer-Encoding"], answer.read().decode(), "complete"))
        except http.client.IncompleteRead as error:
            seen.append((answer.headers["Transfer-Encoding"], error.partial.decode(), "cut"))
        print(path, seen[-1])
finally:
    nginx.terminate()
    nginx.wait()
same = seen == [("chunked", "data: one\n\n", "complete"), ("chunked", "data: one\n\n", "cut")]
print("As described: the crash looks like an end." if same else "This has changed.")
raise SystemExit(not same)
PY
timeout 60 python3 find.py
