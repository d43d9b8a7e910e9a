"""The work that every Python peer does: parsing the message and splitting its echo.

`node.mjs` is the same in JavaScript. As in the service, each word on the wire has an id that names the reply and counts
from 1, so that every server sends the same number of bytes.
"""

import json
import re
import secrets
from typing import NamedTuple

WORD = re.compile("[^ ]+ *")
PACE = re.compile(r"/simulate pace_ms=(\d+)\n")


class Echo(NamedTuple):
    reply_id: str
    words: list[str]
    pace_seconds: float
    done: str  # the last event's data: the whole text as JSON


def echo(message: str) -> Echo:
    pace = PACE.match(message)
    text = message[pace.end() :] if pace else message
    reply_id = secrets.token_hex(16)
    done = json.dumps({"reply_id": reply_id, "text": text, "finish_reason": "stop"})
    return Echo(reply_id, WORD.findall(text), int(pace[1]) / 1000 if pace else 0.0, done)
