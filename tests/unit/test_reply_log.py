"""A reply's log: append-only; a reader is only the number of words that it has read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.chat.errors import BotFailed
from app.chat.model import Done, Failed
from app.eventlog.memory import MemoryReplyLog

_END = Done("", "stop")


@given(st.lists(st.lists(st.text(min_size=1), max_size=4), max_size=6), st.integers(0, 30), st.integers(1, 30))
def test_a_reader_gets_what_follows_its_position_and_the_end_last(
    batches: list[list[str]], after: int, limit: int
) -> None:
    """Whatever the batches in which words are added, and before the end as well as after it."""
    log = MemoryReplyLog()
    for batch in batches:
        log.append(batch)
    words = [word for batch in batches for word in batch]
    assert log.text() == "".join(words)
    assert log.read(after, limit) == (words[after : after + limit], None) or not words[after:]
    log.close(_END)
    read, end = log.read(after, limit)
    assert list(read) == words[after : after + limit]
    assert (end is _END) is (after + limit >= len(words))


def test_every_listener_is_woken_by_words_and_by_the_end_until_it_stops_listening() -> None:
    """Then it is not called any more."""
    log = MemoryReplyLog()
    woken: list[str] = []
    first, second = (lambda: woken.append("first")), (lambda: woken.append("second"))
    log.listen(first)
    log.listen(second)
    log.append(["a"])
    log.unlisten(first)
    log.close(Failed(BotFailed()))
    assert woken == ["first", "second", "second"]
    assert log.end is not None


def test_a_reply_ends_once() -> None:
    """A second end would be a defect of ours, and must not go unnoticed."""
    log = MemoryReplyLog()
    log.close(_END)
    with pytest.raises(RuntimeError):
        log.close(Failed(BotFailed()))
