#!/bin/sh
# A subclass of uvicorn's protocol may set two attributes of its own for a few bytes; the third costs 1.3 KB.
#
# Version:  uvicorn 0.54.0, httptools 0.9.0 (PyPI), CPython 3.11
# Expected: an attribute more costs eight bytes an instance, since the instances of a class share its attributes' names.
# Seen:     CPython shares at most 30 names. uvicorn's own protocol sets 28 of them, so with two more an idle connection
#           takes 8.0 KB as before, and with three it has a dictionary of its own and takes 9.3 KB.
# Matters:  to servers that hold many connections open for streams, and extend uvicorn by subclassing, as its option
#           `http` invites. `__slots__` in the subclass for what it adds costs nothing.
# Needs:    Python 3.11
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
cd "$dir"
python3 -m venv venv
venv/bin/python -m pip install -q uvicorn==0.54.0 httptools==0.9.0
cat >find.py <<'PY'
import asyncio
import gc
import socket
import sys
import tracemalloc

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

FIRST, CONNECTIONS = 20, 300


async def application(scope, receive, send):
    """Nobody asks it anything."""


def protocol(names):
    class Own(HttpToolsProtocol):
        def connection_made(self, transport):
            super().connection_made(transport)
            for name in names:
                setattr(self, name, None)

    return Own


async def bytes_a_connection(own):
    """The memory of an idle connection, with so many attributes of the subclass's own."""
    http = protocol([f"own_{number}" for number in range(own)])
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application, http=http, loop="asyncio", lifespan="off", log_level="error"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    writers = []
    for number in range(FIRST + CONNECTIONS):
        if number == FIRST:
            await asyncio.sleep(0.2)
            gc.collect()
            before, _ = tracemalloc.get_traced_memory()
        _, writer = await asyncio.open_connection(*listener.getsockname())
        writers.append(writer)
    await asyncio.sleep(0.2)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    for writer in writers:
        writer.close()
    server.should_exit = True
    await serving
    return round((after - before) / CONNECTIONS)


tracemalloc.start()
taken = {own: asyncio.run(bytes_a_connection(own)) for own in (0, 1, 2, 3, 4)}
for own, size in taken.items():
    print(f"{own} attributes of its own: {size} bytes a connection")
same = taken[2] - taken[0] < 100 and taken[3] - taken[2] > 1000 and abs(taken[4] - taken[3]) < 100
print("As described: the third one costs more than a kilobyte." if same else "This has changed.")
sys.exit(0 if same else 1)
PY
timeout 60 venv/bin/python find.py
