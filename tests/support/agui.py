"""Parses the events of a run of AG-UI strictly.

`RUN_STARTED TEXT_MESSAGE_START TEXT_MESSAGE_CONTENT* (TEXT_MESSAGE_END RUN_FINISHED | RUN_ERROR)`, or what follows an
event of it.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tests.support.asgi import Client
from tests.support.closed import check_shape
from tests.support.stream import Event, Parser

AG_UI = "/api/ag-ui"
"""`runAgent`."""

_PLACE = re.compile(r"(?P<reply_id>[0-9a-f]{32}):(?P<place>start|(?P<words>0|[1-9][0-9]*)(?P<end>:end)?)")
_PING = ": ping"


@dataclass(frozen=True, slots=True)
class RunSaid:
    """A complete, valid stream; or the rest of one, where what came before is empty or `None`."""

    reply_id: str | None
    conversation_id: str | None
    text: str
    outcome: str | None
    """`None` if it failed."""
    finish_reason: str | None
    code: str | None
    """Of the problem, if it failed."""
    usage: dict[str, int] | None
    ids: tuple[str, ...]
    """The last event ids, one for each event that has one."""


def check_run(raw: bytes, after: str = "") -> RunSaid:
    """Check a whole stream against the contract, or what follows the event of a place. Raises `AssertionError`."""
    assert "\r" not in raw.decode("ascii")
    parser = Parser()
    events = parser.feed(raw) + parser.close()
    assert parser.unterminated is None, f"the stream ends inside an event: {parser.unterminated!r}"
    assert events, "the stream is empty"
    return checked(events, after)


def checked(events: Sequence[Event], after: str = "") -> RunSaid:
    """The same for events that have been parsed."""
    values = [_value(event) for event in events]
    ids = tuple(event.id for event in events if event.id is not None)
    places = [match for match in map(_PLACE.fullmatch, ids) if match]
    assert len(places) == len(ids) == len(events) - 1, f"an event has no id, or one of another form: {ids}"
    assert events[-1].id is None
    reply_ids = {match["reply_id"] for match in places}
    assert len(reply_ids) <= 1
    expected = iter(values)
    value = next(expected)
    started: dict[str, Any] = {}
    begun: dict[str, Any] = {}
    ended: dict[str, Any] = {}
    if not after:
        started, value = value, next(expected)
        assert (started["type"], places.pop(0)["place"]) == ("RUN_STARTED", "start")
    if after in {"", "start"}:
        begun, value = value, next(expected)
        assert (begun["type"], places.pop(0)["place"]) == ("TEXT_MESSAGE_START", "0")
        assert begun["messageId"] == begun["metadata"]["reply_id"]
    pieces = []
    words = int(re.match("[0-9]*", after)[0] or 0)  # type: ignore[index] # it matches anything
    while value["type"] == "TEXT_MESSAGE_CONTENT":
        place = places.pop(0)
        assert not place["end"]
        assert int(place["words"]) > words
        words = int(place["words"])
        pieces.append(value["delta"])
        value = next(expected)
    if value["type"] == "TEXT_MESSAGE_END":
        ended, value = value, next(expected)
        assert places.pop(0)["place"] == f"{words}:end"
    assert not places
    assert (value["type"] == "RUN_FINISHED") == (bool(ended) or after.endswith(":end"))
    assert value["type"] in {"RUN_FINISHED", "RUN_ERROR"}
    assert next(expected, None) is None, f"something follows {value['type']}"
    names = ("threadId", "runId")
    if started and value["type"] == "RUN_FINISHED":
        assert [started[name] for name in names] == [value[name] for name in names]
    assert {each["messageId"] for each in values if "messageId" in each} <= reply_ids
    return RunSaid(
        next(iter(reply_ids), None),
        begun["metadata"]["conversation_id"] if begun else None,
        "".join(pieces),
        value["outcome"]["type"] if "outcome" in value else None,
        ended["metadata"]["finish_reason"] if ended else None,
        value.get("code"),
        value["usage"][0] if "usage" in value else None,
        ids,
    )


async def rest_of(client: Client, body: dict[str, Any], last_id: str) -> RunSaid:
    """What follows an event of a run, whose request is sent again."""
    answer = await client.request("POST", AG_UI, json=body, headers={"last-event-id": last_id})
    assert answer.status == 200, answer.content
    return check_run(answer.content, last_id.partition(":")[2])


def rejoined_at(run_id: str) -> str:
    """`rejoinAgent`."""
    return f"{AG_UI}?{urlencode({'offset': -1, 'runId': run_id})}"


async def rejoined(client: Client, run_id: str, last_id: str = "", **headers: str) -> RunSaid:
    """A run that is read again, after an event or from its beginning."""
    last = {"last-event-id": last_id} if last_id else {}
    answer = await client.request("GET", rejoined_at(run_id), headers=headers | last)
    assert answer.status == 200, answer.content
    return check_run(answer.content, last_id.partition(":")[2])


def _value(event: Event) -> dict[str, Any]:
    """Check how an event is written: an id and then data, on one line each, and no `null`."""
    fields = [line.partition(": ")[0] for line in event.lines if line != _PING]
    assert fields == (["data"] if event.id is None else ["id", "data"]), f"an event has other fields: {event.lines}"
    check_shape("AgUiEvent", event.data)
    assert ":null" not in re.sub(r'"(\\.|[^"\\])*"', '""', event.data)
    value: dict[str, Any] = json.loads(event.data)
    return value


def users(text: str, message_id: str = "u1") -> dict[str, Any]:
    """A user's message."""
    return {"id": message_id, "role": "user", "content": text}


def assistants(message_id: str, text: str = "") -> dict[str, Any]:
    """A reply, as a client sends it back."""
    return {"id": message_id, "role": "assistant", "content": text}


def agui_asked(*messages: dict[str, Any], **fields: object) -> dict[str, Any]:
    """The body of a request with these messages."""
    always = {"protocolVersion": "1.0", "state": {}, "tools": [], "context": [], "forwardedProps": {}}
    ids = {"threadId": "trip-to-lisbon", "runId": "run-1"}
    return always | ids | {"messages": list(messages)} | fields
