"""Structured logs on standard error: one JSON object per line, or coloured lines on a terminal.

Our own lines go straight from structlog to the stream. Through the standard library's logging, as uvicorn's do, a line
would cost several times as much, and every request has one.
"""

import logging
import sys
import traceback
from contextlib import suppress
from typing import IO, AnyStr, Generic, Literal

import structlog
from pydantic_core import to_json


class _Lossy(Generic[AnyStr]):
    """Loses lines that cannot be written: a full disk or a reader that has gone is no reason to refuse a request."""

    def __init__(self, stream: IO[AnyStr]) -> None:
        self._stream: IO[AnyStr] = stream

    def write(self, line: AnyStr) -> None:
        with suppress(OSError):
            self._stream.write(line)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def configure(
    level: Literal["debug", "info", "warning", "error"],
    style: Literal["auto", "json", "console"],
    *,
    worker: int | None = None,
) -> None:
    """Set up structlog and the standard library's logging in the same way. Each line names the `worker`, if any."""
    numeric_level = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if worker is not None:
        shared.append(_naming(worker))
    console = structlog.dev.ConsoleRenderer()
    for_people = style == "console" or (style == "auto" and sys.stderr.isatty())
    structlog.configure(
        processors=[*shared, console if for_people else _json_bytes],
        logger_factory=structlog.WriteLoggerFactory(_Lossy(sys.stderr))  # type: ignore[arg-type]  # has what it calls
        if for_people
        else structlog.BytesLoggerFactory(_Lossy(sys.stderr.buffer)),  # type: ignore[arg-type]  # as above
        wrapper_class=structlog.make_filtering_bound_logger(numeric_level),
        cache_logger_on_first_use=True,
    )
    logging.raiseExceptions = False  # as `_Lossy`
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared, _without_words],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                console if for_people else _json_text,
            ],
        )
    )
    handler.addFilter(_is_worth_a_line)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(numeric_level)


def take_over_uvicorns() -> None:
    """Where uvicorn has set up its own logging: let its lines look like ours, and have one line for a request."""
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = name != "uvicorn.access"


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """Drop uvicorn's first line: it precedes the reason if the service cannot start; if it can, our own say more."""
    return record.name != "uvicorn.error" or not str(record.msg).startswith("Started server process")


def _naming(worker: int) -> structlog.typing.Processor:
    def name(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["worker"] = worker
        return event

    return name


def _without_words(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Reduce an exception to its type and frames: its text may contain text of a user or a model."""
    kind, _, trace = event.pop("exc_info", None) or (None, None, None)
    if kind is not None:
        event["error"] = kind.__qualname__
        event["frames"] = "".join(traceback.format_tb(trace))
    return event


def _json_bytes(_logger: object, _method: str, event: structlog.typing.EventDict) -> bytes:
    return to_json(event, fallback=repr)


def _json_text(_logger: object, _method: str, event: structlog.typing.EventDict) -> str:
    return to_json(event, fallback=repr).decode()
