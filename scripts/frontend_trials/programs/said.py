"""What all programs share: the messages of the trials, and how to tell what came of them."""

import json
import sys
import time
from collections.abc import Callable, Iterator

BASE_URL, TRIAL = sys.argv[-2:]
TEXT = "Hello  there,\n\nmy \u2028 world! \u65e5\u672c [DONE]"
MESSAGES = {
    "whole": TEXT,
    "stream": TEXT,
    "early": "/simulate status=503\n",
    "late": "/simulate fail_after=2 pace_ms=20\none two three",
    "lost": "/simulate pace_ms=20\none two three four five six",
    "stop": "/simulate pace_ms=20 repeat=1000\none two three ",
    "back": "/simulate pace_ms=300\none two three four five six",
}
STOP_SECONDS = 3
MESSAGE = MESSAGES[TRIAL]


def tell(
    whole: Callable[[], str], stream: Callable[[], Iterator[str]], close: Callable[[], None] | None = None
) -> None:
    """Do what the trial asks, and print the text and the error's name."""
    text, error = "", ""
    try:
        if TRIAL in {"whole", "early"}:
            text = whole()
        else:
            pieces = stream()
            for piece in pieces:
                text += piece
                if TRIAL == "stop" and text:
                    break
            if TRIAL == "stop":
                (close or pieces.close)()  # type: ignore[attr-defined]  # a generator
                time.sleep(STOP_SECONDS)
    except Exception as raised:  # noqa: BLE001 - whatever the client makes of it
        error = type(raised).__name__
    print(json.dumps({"text": text, "error": error}), flush=True)
