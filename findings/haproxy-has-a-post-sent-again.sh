#!/bin/sh
# Over HTTP/2, HAProxy says "not processed" of a POST that its server has received; curl sends it again, five times.
#
# Version:  HAProxy 2.6.12 and curl 7.88.1 (Debian 12)
# Expected: a server that takes a POST and dies without an answer is a 502, and the POST is sent once: nobody can know
#           how much of it was done.
# Seen:     to an HTTP/1.1 client HAProxy answers 502, after one POST. To an HTTP/2 client it resets the stream with
#           REFUSED_STREAM, the code that promises that nothing was processed. curl believes it and repeats the POST by
#           itself, without --retry: the server receives it six times.
# Matters:  to each POST that costs or creates something (here: a paid generation). "Our client does not retry" and "our
#           proxy does not retry" are both true. Only with an idempotency key can the server tell that the six are one.
# Needs:    Python 3.11, curl with HTTP/2; haproxy on PATH, or Debian 12, whose packages it then unpacks
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
cd "$dir"
if ! command -v haproxy >/dev/null; then
  apt-get download -qq haproxy liblua5.3-0 libopentracing-c-wrapper0 libopentracing1 2>/dev/null
  for package in *.deb; do dpkg -x "$package" debian; done
  LIBRARIES="$dir/debian/usr/lib/$(uname -m)-linux-gnu"
  export PATH="$dir/debian/usr/sbin:$PATH" LIBRARIES
fi
cat >find.py <<'PY'
import os
import pathlib
import socket
import subprocess
import threading
import time

listener = socket.create_server(("127.0.0.1", 0))
received = []


def upstream():
    """Reads a whole request and dies."""
    while True:
        connection = listener.accept()[0]
        request = b""
        while not request.endswith(b"\r\n\r\nhello") and (part := connection.recv(65536)):
            request += part
        if request:
            received.append(request.split(b" ")[0].decode())
        connection.close()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


threading.Thread(target=upstream, daemon=True).start()
one, two = free_port(), free_port()
pathlib.Path("haproxy.cfg").write_text(
    "defaults\n mode http\n timeout connect 5s\n timeout client 20s\n timeout server 20s\n"
    f"listen one\n bind 127.0.0.1:{one}\n server s 127.0.0.1:{listener.getsockname()[1]}\n"
    f"listen two\n bind 127.0.0.1:{two} proto h2\n server s 127.0.0.1:{listener.getsockname()[1]}\n"
)
environment = {**os.environ, "LD_LIBRARY_PATH": os.environ.get("LIBRARIES", "")}
haproxy = subprocess.Popen(["haproxy", "-db", "-f", "haproxy.cfg"], env=environment, stderr=subprocess.DEVNULL)


def post(port, *options):
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except ConnectionRefusedError:
            time.sleep(0.1)
    received.clear()
    command = ["curl", "-sS", "-v", "-m", "20", "-o", "body", "-w", "%{http_code}", "-d", "hello", *options]
    done = subprocess.run([*command, f"http://127.0.0.1:{port}/"], capture_output=True, text=True, check=False)
    seen = done.stdout, "REFUSED_STREAM" in done.stderr, received.count("POST")
    print("status %s, REFUSED_STREAM: %s, POSTs received: %d" % seen)
    return seen


try:
    seen = [post(one), post(two, "--http2-prior-knowledge")]
finally:
    haproxy.terminate()
    haproxy.wait()
same = seen == [("502", False, 1), ("000", True, 6)]
print("As described: one POST is received six times." if same else "This has changed.")
raise SystemExit(not same)
PY
timeout 60 python3 find.py
