"""Event streams of other protocols, whose events have data and nothing else."""

from tests.support.stream import Parser


def data_of(raw: bytes) -> list[str]:
    """The data of each event of a whole stream: ASCII, with line feeds, pings between events, and no other field.

    Raises `AssertionError`.
    """
    assert "\r" not in raw.decode("ascii")
    parser = Parser()
    events = parser.feed(raw) + parser.close()
    assert parser.unterminated is None, f"the stream ends inside an event: {parser.unterminated!r}"
    for event in events:
        fields = [line.partition(": ")[0] for line in event.lines if line != ": ping"]
        assert fields == ["data"], f"an event has other fields: {event.lines}"
    assert events, "the stream is empty"
    return [event.data for event in events]
