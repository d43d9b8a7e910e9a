#!/bin/sh
# Two Python SSE clients strip white space around an event's data: streamed text loses indentation and line breaks.
#
# Version:  requests-sse 0.5.3, aiohttp-sse-client2 0.3.0 (PyPI)
# Expected: the standard removes one space after `data:` and one line feed at the end of the data, and nothing else.
# Seen:     both remove all blanks at the start of each data line, and all line breaks at the end of the data. Of the
#           pieces "def f():", "\n\n", "    return", " 1" they deliver "def f():", "", "return", "1". No error.
# Matters:  to those who stream text in pieces without JSON around it: the code above arrives as "def f():return1".
#           A JSON envelope, or a client that follows the standard (httpx-sse, sseclient-py), avoids it.
# Needs:    Python 3.11
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
cd "$dir"
python3 -m venv venv
venv/bin/python -m pip install -q requests-sse==0.5.3 aiohttp-sse-client2==0.3.0
cat >find.py <<'PY'
import asyncio
import http.server
import threading

import aiohttp_sse_client2.client
import requests_sse

PIECES = ["def f():", "\n\n", "    return", " 1"]
STREAM = "".join("".join(f"data: {line}\n" for line in piece.split("\n")) + "\n" for piece in [*PIECES, "end"]).encode()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(STREAM)

    def log_message(self, *arguments):
        pass


def with_requests(url):
    with requests_sse.EventSource(url) as events:
        for event in events:
            if event.data == "end":
                return
            yield event.data


async def with_aiohttp(url):
    heard = []
    async with aiohttp_sse_client2.client.EventSource(url) as events:
        async for event in events:
            if event.data == "end":
                break
            heard.append(event.data)
    return heard


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"
heard = [list(with_requests(url)), asyncio.run(with_aiohttp(url))]
print("sent", PIECES, "requests-sse", heard[0], "aiohttp-sse-client2", heard[1], sep="\n")
same = heard == [["def f():", "", "return", "1"]] * 2
print("As described: text is lost." if same else "This has changed.")
raise SystemExit(not same)
PY
timeout 60 venv/bin/python find.py
