"""What all programs share: what they are asked for, and how to tell what came of it."""

import json
import sys
import time
from collections.abc import Callable, Iterator

BASE_URL, TRIAL, MESSAGE = sys.argv[-3:]
STOP_SECONDS = 3


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
