"""Aliases of conversations: names that clients choose, each principal its own.

The id of a conversation with an alias is a digest of both. It can be computed without a look-up, and two requests that
begin the same conversation at the same time, at whatever instances, meet in it as in any other.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from app.chat.access import Principal
from app.chat.errors import ConversationNotFound, IdempotencyKeyReused

Result = TypeVar("Result")

_ID = re.compile("[0-9a-f]{32}")
_NAME = re.compile("[A-Za-z0-9_][A-Za-z0-9_.:@~-]{0,127}")
_ID_BYTES = 16


def is_id(text: str) -> bool:
    """Whether it has the form of an id."""
    return _ID.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """Whether it has the form of an id or an alias."""
    return _NAME.fullmatch(text) is not None


def id_of(alias: str, principal: Principal) -> str:
    """The id of a principal's conversation with this alias, whether or not there is one."""
    return hashlib.blake2b(f"{principal.name}\0{alias}".encode(), digest_size=_ID_BYTES).hexdigest()


def ids_of(name: str, principal: Principal) -> tuple[str, ...]:
    """The ids that a principal's conversation with this name may have, in the order in which they are tried.

    Some clients choose names that have the form of an id, such as a UUID without its hyphens.
    """
    digest = id_of(name, principal)
    return (name, digest) if is_id(name) else (digest,)


async def first_found(name: str, principal: Principal, work: Callable[[str], Awaitable[Result]]) -> Result:
    """What `work` returns for the id that a principal's conversation with this name has.

    Raises `ConversationNotFound` if it does for each. A repeated request finds its reply in the one that it began.
    """
    *others, last = ids_of(name, principal)
    for conversation_id in others:
        with suppress(ConversationNotFound, IdempotencyKeyReused):
            return await work(conversation_id)
    return await work(last)
