"""Ids of replies and conversations: of the contract's form, in order of time, and never the same."""

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from app.chat.ids import new_id

_LATEST_MS = 253_402_300_799_999
"""At the end of the year 9999."""
_AT_ONCE = 1000


@given(st.integers(0, _LATEST_MS), st.integers(0, _LATEST_MS))
def test_ids_are_in_the_order_in_which_they_were_made(first_ms: int, second_ms: int) -> None:
    """So those that are made one after the other are next to each other in an index."""
    first, second = new_id(first_ms), new_id(second_ms)
    assert all(re.fullmatch("[0-9a-f]{32}", made) for made in (first, second))
    assert (first < second) is (first_ms < second_ms) or first_ms == second_ms


def test_ids_of_the_same_millisecond_differ() -> None:
    """In more than anybody can guess: on average, half of the 80 random bits of two of them."""
    made = [int(new_id(1), 16) for _ in range(_AT_ONCE)]
    assert len(set(made)) == _AT_ONCE
    different = [(a ^ b).bit_count() for a, b in pairwise(made)]
    assert 38 < sum(different) / len(different) < 42
