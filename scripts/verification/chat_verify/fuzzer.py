"""`python -m chat_verify.fuzzer`: schemathesis against a deployment that is in use.

Reads its options from standard input, because process lists show arguments. Reports each event at once as a line of
JSON on standard error, so that nothing is lost when the time is up. Limits its rate of messages, and does not touch
conversations that it did not create. Adds checks that no schema can express.
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

from chat_verify import hops
from chat_verify.contract import REQUEST_ID, STREAM_TYPE, check_problem, operation_of
from chat_verify.exchange import NOTHING, Answer
from chat_verify.grammar import StreamBroken, check_stream
from chat_verify.target import ALL_MESSAGES, MESSAGES

_ID = re.compile("[0-9a-f]{32}")
_NAMES = ("conversation_id", "threadId", "id")
"""What bodies call a conversation."""
_BOTS_TROUBLE = {502, 503, 504}


class _Run:
    """The state of this process's run."""

    def __init__(self) -> None:
        self.between_seconds = 0.0
        self.same_version = True
        self.made: set[str] = set()
        self.others: set[str] = set()
        """Ids of conversations that the fuzzer did not create."""
        self._next = 0.0

    def wait(self) -> None:
        """Wait until the next message may be sent."""
        now = time.monotonic()
        time.sleep(max(0.0, self._next - now))
        self._next = max(self._next, now) + self.between_seconds


_run = _Run()


def main() -> None:
    _tell(ready=True)
    options = json.load(sys.stdin)
    _run.between_seconds = 1 / options["messages_per_second"]
    _run.same_version = options["same_version"]
    schemathesis.cli.schemathesis(options["arguments"])


def _tell(**happened: object) -> None:
    sys.stderr.write(json.dumps(happened) + "\n")
    sys.stderr.flush()


@schemathesis.hook
def before_call(_context: schemathesis.HookContext, case: schemathesis.Case[Any], _kwargs: dict[str, Any]) -> None:
    """Limit the rate, and replace ids that belong to others by an unknown id."""
    for name in ("conversation_id", "reply_id"):
        if case.path_parameters.get(name) in _run.others:
            case.path_parameters[name] = NOTHING
    if isinstance(case.body, dict):
        for name in _NAMES:
            if isinstance(named := case.body.get(name), str) and named in _run.others:
                case.body = {**case.body, name: NOTHING}
    operation_id = operation_of(case.method, case.path)
    if operation_id in ALL_MESSAGES:
        _run.wait()
        key = secrets.token_hex(16)
        if operation_id in MESSAGES:
            key = case.headers.setdefault("Idempotency-Key", key)
        if isinstance(case.body, dict) and operation_id != "createChatCompletion":  # to find its conversation again
            _tell(message=case.body, key=str(key), path=case.path)


@schemathesis.hook
def after_call(
    _context: schemathesis.HookContext, case: schemathesis.Case[Any], response: schemathesis.Response
) -> None:
    """Report what was created and deleted."""
    made = response.headers.get("conversation-id", [""])[0]
    _run.made.add(made)
    if case.path == "/api/conversations" and response.status_code == 200:
        _run.others.update(set(_ID.findall(response.content.decode("utf-8", "replace"))) - _run.made)
    deleted = case.method == "DELETE" and response.status_code == 204
    _tell(
        call=f"{case.method} {case.path}",
        status=response.status_code,
        made=made,
        deleted=case.path_parameters.get("conversation_id", "") if deleted else "",
    )


@schemathesis.hook
def after_network_error(_context: schemathesis.HookContext, case: schemathesis.Case[Any], _request: object) -> None:
    """Report a lost connection."""
    _tell(lost=f"{case.method} {case.path}")


@schemathesis.check
def stream_obeys_its_grammar(
    _ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> None:
    """Order, ids, exactly one end, nothing after it, and a complete last event; of our own streams."""
    if not case.path.startswith("/api/") or case.path.startswith(("/api/ui/", "/api/ag-ui")):
        return  # another protocol's: its schema is checked
    if _headers(response).get("content-type", "").startswith(STREAM_TYPE) and response.request.method != "HEAD":
        if response.stream_cut_short:
            raise AssertionError("the stream did not end")
        cursor = str(response.request.headers.get("Last-Event-ID") or case.query.get("lastEventId") or "")
        try:
            check_stream(response.content, int(cursor.partition(":")[2] or 0))
        except StreamBroken as broken:
            raise AssertionError(str(broken)) from broken


@schemathesis.check
def error_is_a_problem_of_the_contract(
    _ctx: schemathesis.CheckContext, response: schemathesis.Response, _case: schemathesis.Case[Any]
) -> None:
    """Also for statuses that no operation documents, and verbatim, so that nothing is echoed."""
    if response.status_code >= 400 and response.request.method != "HEAD":
        try:
            check_problem(_answer(response), same_version=_run.same_version)
        except (ValueError, KeyError, TypeError) as error:
            raise AssertionError(str(error)) from error


@schemathesis.check
def response_names_its_request(
    _ctx: schemathesis.CheckContext, response: schemathesis.Response, _case: schemathesis.Case[Any]
) -> None:
    """Every response has a request id, and none is a redirect."""
    headers = _headers(response)
    if not REQUEST_ID.fullmatch(headers.get("x-request-id", "")):
        raise AssertionError("there is no X-Request-Id")
    if 300 <= response.status_code < 400:
        raise AssertionError(f"a redirect to {headers.get('location', '')}")


@schemathesis.hook
def filter_failure(
    _context: schemathesis.HookContext,
    failure: Failure,
    _case: schemathesis.Case[Any],
    response: schemathesis.Response,
) -> bool:
    """Report a failure, unless a proxy sent the response or the bot caused it."""
    status, headers = response.status_code, _headers(response)
    asked = f"{response.request.method} {response.request.path_url}"
    is_hops = status >= 300 and hops.is_of_a_hop(status, headers)
    if is_hops and status in hops.ITS_OWN:
        _tell(hop=f"{response.request.method} {status}", answered=hops.account(asked[:100], status, headers))
        return False
    try:
        problem = check_problem(_answer(response)) if status >= 400 else {}
        is_state = problem.get("type") == "urn:problem:message-refused"
        if is_state or (status in _BOTS_TROUBLE and failure.title == "Server error"):
            return False
    except (ValueError, KeyError, TypeError):
        pass  # it is not a problem of the contract
    sent = response.request.headers
    shown = [f"[{name}: {_text(sent[name])}]" for name in ("Accept", "Content-Type", "Last-Event-ID") if name in sent]
    text = _text(response.request.body)
    _tell(
        failure=hops.TITLE if is_hops else failure.title,
        account=hops.told(status, headers) if is_hops else failure.message,
        request=" ".join([asked, *shown, text[:300]]).rstrip(),
        status=status,
        type=headers.get("content-type", ""),
    )
    return True


def _headers(response: schemathesis.Response) -> dict[str, str]:
    return {name.lower(): ", ".join(values) for name, values in response.headers.items()}


def _answer(response: schemathesis.Response) -> Answer:
    return Answer(response.status_code, _headers(response), response.content)


def _text(sent: object) -> str:
    return sent.decode("utf-8", "replace") if isinstance(sent, bytes) else str(sent or "")


if __name__ == "__main__":
    main()
