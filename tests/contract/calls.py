"""Makes requests that schemathesis has made up reach something: hooks that it runs before and after every call.

An id that is made up names nothing, and a key that is made up twice is refused the second time. Left as they are, they
would keep nearly all requests from getting any further. So most of them are exchanged for what there is; what breaks
the contract, or came by a link, stays as it is. What becomes of a case depends on the case alone, as far as can be:
Hypothesis repeats cases, and gives up on a walk that goes another way the second time.
"""

import itertools
import re
import secrets
import zlib
from typing import Any

import schemathesis
from schemathesis.generation.meta import TestPhase

from tests.contract.document import PLACES

_ACCEPT = itertools.cycle([None, "text/event-stream", "application/json", "application/json, text/plain, */*"])
_STREAMING = {PLACES[operation_id][1] for operation_id in ("streamChat", "streamReply")}
_ID = re.compile("[0-9a-f]{32}")
_WORD_ID = re.compile("([0-9a-f]{32}):([0-9]+)")
_KEY = re.compile("[!-~]{1,200}")
_CURSOR = re.compile("[A-Za-z0-9_-]{1,200}")

_replies: dict[str, str] = {}
"""A reply of each conversation that there is."""
_named: set[str] = set()
"""All ids that the service ever gave."""


@schemathesis.hook
def before_call(_context: schemathesis.HookContext, case: schemathesis.Case[Any], _kwargs: dict[str, Any]) -> None:
    """Ask for what there is, and for either representation in turn: `Accept` is no parameter to OpenAPI."""
    if case.path in _STREAMING and (accept := next(_ACCEPT)) is not None and "Accept" not in case.headers:
        case.headers["Accept"] = accept
    for conversation_id, reply_id in list(_replies.items())[-1:]:
        _mend(case.path_parameters, "conversation_id", conversation_id)
        _mend(case.path_parameters, "reply_id", reply_id)
    if isinstance(case.body, dict) and _is_nowhere(case.body.get("conversation_id")):
        case.body = {name: value for name, value in case.body.items() if name != "conversation_id"}
    _mend_cursor(case)
    key = case.headers.get("Idempotency-Key", "")
    is_step = case.meta is not None and case.meta.phase.name is TestPhase.STATEFUL
    if _KEY.fullmatch(key) and (is_step or _chance(key)):
        case.headers["Idempotency-Key"] = key + secrets.token_hex(16)
    page = case.query.get("cursor")
    if isinstance(page, str) and _CURSOR.fullmatch(page) and _chance(page):
        del case.query["cursor"]


@schemathesis.hook
def after_call(
    _context: schemathesis.HookContext, case: schemathesis.Case[Any], response: schemathesis.Response
) -> None:
    """Remember what there is."""
    pairs = zip(response.headers.get("conversation-id", []), response.headers.get("reply-id", []), strict=True)
    for conversation_id, reply_id in pairs:
        _replies[conversation_id] = reply_id
        _named.update((conversation_id, reply_id))
    if case.method == "DELETE" and response.status_code == 204:
        _replies.pop(case.path_parameters.get("conversation_id", ""), None)


def _mend(values: dict[str, Any], name: str, real: str) -> None:
    """Exchange an id that is made up for a real one. One that was real once stays: there must be nothing there."""
    made_up = values.get(name)
    if isinstance(made_up, str) and _ID.fullmatch(made_up) and made_up not in _named and _chance(made_up):
        values[name] = real


def _is_nowhere(conversation_id: object) -> bool:
    """Whether this would be an id, if there were such a conversation."""
    if not isinstance(conversation_id, str) or not _ID.fullmatch(conversation_id) or conversation_id in _replies:
        return False
    return conversation_id in _named or _chance(conversation_id)


def _mend_cursor(case: schemathesis.Case[Any]) -> None:
    reply_id = case.path_parameters.get("reply_id", next(reversed(_replies.values()), None))
    cursor = _WORD_ID.fullmatch(case.headers.get("Last-Event-ID", ""))
    if cursor is None or cursor[1] in _named:
        return
    if _chance(cursor[0]):
        del case.headers["Last-Event-ID"]
    elif reply_id and _chance(cursor[1]):  # of the first word, which every reply has; or far ahead
        case.headers["Last-Event-ID"] = f"{reply_id}:{int(cursor[2]) % 2 if _chance(cursor[2]) else 9_999_999_999}"


def _chance(text: str) -> bool:
    """True for two texts of three, and always the same for the same text."""
    return zlib.crc32(text.encode()) % 3 < 2
