"""Ids of replies and conversations: hard to guess, and in the order in which they were made.

A database keeps ids in the order of their value. Random ones are spread over the whole index, so that each new one
changes a page of its own, which is then written to disk as a whole; those in order of time share a few pages.

Source: RFC 9562, section 5.7 (UUID version 7), whose idea it is. Without its fixed bits, all the others are random.
"""

import secrets

_RANDOM_BYTES = 10
"""80 bits in each millisecond."""


def new_id(now_ms: int) -> str:
    """32 hexadecimal digits: the milliseconds since 1970 in the first twelve, the rest random."""
    return f"{now_ms:012x}{secrets.token_hex(_RANDOM_BYTES)}"
