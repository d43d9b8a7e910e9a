"""`python -m scripts.verification.fuzzer`: schemathesis as the contract's tests run it, for a deployment elsewhere.

Takes from standard input what no list of processes should show. Each thing that happens is a line of JSON on standard
error, at once, so that nothing is lost if there is no time for the rest. Sends messages no faster than it may, and
keeps away from conversations that are not its own.
"""

# ruff: noqa: PLR2004 - a status is best known by its number

import json
import re
import secrets
import sys
import time
from typing import Any

import schemathesis
import schemathesis.cli
from schemathesis.core.failures import Failure
from schemathesis.hooks import unregister

from tests.contract import checks
from tests.contract.asking import NOBODY
from tests.contract.document import check_problem
from tests.support.asgi import Whole

_ID = re.compile("[0-9a-f]{32}")
_BOTS_TROUBLE = {502, 503, 504}


class _Pace:
    """When the next message may be sent."""

    def __init__(self) -> None:
        self.between_seconds = 0.0
        self._next = 0.0

    def wait(self) -> None:
        now = time.monotonic()
        time.sleep(max(0.0, self._next - now))
        self._next = max(self._next, now) + self.between_seconds


_pace = _Pace()
_made: set[str] = set()
_others: set[str] = set()


def main() -> None:
    options = json.load(sys.stdin)
    _pace.between_seconds = 1 / options["messages_per_second"]
    schemathesis.cli.schemathesis(options["arguments"])


def _tell(**happened: object) -> None:
    sys.stderr.write(json.dumps(happened) + "\n")
    sys.stderr.flush()


@schemathesis.hook
def before_call(_context: schemathesis.HookContext, case: schemathesis.Case[Any], _kwargs: dict[str, Any]) -> None:
    """Wait for its turn; what is somebody's is not asked for, as if nobody knew it."""
    for name in ("conversation_id", "reply_id"):
        if case.path_parameters.get(name) in _others:
            case.path_parameters[name] = NOBODY
    if isinstance(case.body, dict) and case.body.get("conversation_id") in _others:
        case.body = {**case.body, "conversation_id": NOBODY}
    if case.method == "POST":
        _pace.wait()
        key = case.headers.setdefault("Idempotency-Key", secrets.token_hex(16))  # to ask what became of it
        if isinstance(case.body, dict):
            _tell(message=case.body, key=str(key))


@schemathesis.hook
def after_call(
    _context: schemathesis.HookContext, case: schemathesis.Case[Any], response: schemathesis.Response
) -> None:
    """Tell what was made, and what was deleted."""
    made = response.headers.get("conversation-id", [""])[0]
    _made.add(made)
    if case.path == "/api/conversations" and response.status_code == 200:
        _others.update(set(_ID.findall(response.content.decode("utf-8", "replace"))) - _made)
    deleted = case.method == "DELETE" and response.status_code == 204
    _tell(
        call=f"{case.method} {case.path}",
        status=response.status_code,
        made=made,
        deleted=case.path_parameters.get("conversation_id", "") if deleted else "",
    )


@schemathesis.hook
def after_network_error(_context: schemathesis.HookContext, case: schemathesis.Case[Any], _request: object) -> None:
    """Tell it."""
    _tell(lost=f"{case.method} {case.path}")


unregister(checks.filter_failure)  # asks a problem for its type, which a deployment may not send


@schemathesis.hook
def filter_failure(
    context: schemathesis.HookContext,
    failure: Failure,
    case: schemathesis.Case[Any],
    response: schemathesis.Response,
) -> bool:
    """Tell what is held against the deployment, but for what its bot is to blame for."""
    headers = {name: ", ".join(values) for name, values in response.headers.items()}
    try:
        if not checks.filter_failure(context, failure, case, response):
            return False
        if response.status_code in _BOTS_TROUBLE:
            check_problem(Whole(response.status_code, headers, response.content))
            if failure.title == "Server error":
                return False
    except (AssertionError, ValueError, TypeError, KeyError):
        pass  # no problem of the document's, whatever it is
    sent = response.request.headers
    shown = [f"[{name}: {_text(sent[name])}]" for name in ("Accept", "Content-Type", "Last-Event-ID") if name in sent]
    text = _text(response.request.body)
    _tell(
        failure=failure.title,
        account=failure.message,
        request=" ".join([str(response.request.method), str(response.request.path_url), *shown, text[:300]]).rstrip(),
        status=response.status_code,
        type=headers.get("content-type", ""),
    )
    return True


def _text(sent: object) -> str:
    return sent.decode("utf-8", "replace") if isinstance(sent, bytes) else str(sent or "")


if __name__ == "__main__":
    main()
