"""Ids of replies and conversations: hard to guess, and in the order in which they were made.

A database keeps ids in the order of their value. Random ones are spread over the whole index, so that each new one
changes a page of its own, which is then written to disk as a whole; those in order of time share a few pages.

Source: RFC 9562, section 5.7 (UUID version 7), whose idea it is. Without its fixed bits, all the others are random.
"""

import os
from collections.abc import Iterator

_RANDOM_DIGITS = 20
"""80 bits in each millisecond."""
_POOL_BYTES = 4000
"""Randomness is fetched for many ids at once: each time is a system call."""


def new_id(now_ms: int) -> str:
    """32 hexadecimal digits: the milliseconds since 1970 in the first twelve, the rest random."""
    return f"{now_ms:012x}{next(_random)}"


def _random_digits() -> Iterator[str]:
    """Never twice the same digits, in this process."""
    while True:
        pool = os.urandom(_POOL_BYTES).hex()
        for start in range(0, len(pool), _RANDOM_DIGITS):
            yield pool[start : start + _RANDOM_DIGITS]


_random = _random_digits()


def _forget_pool() -> None:
    """A forked process must not give the ids that its parent gives."""
    global _random  # noqa: PLW0603 - the pool is this module's
    _random = _random_digits()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)
