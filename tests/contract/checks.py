"""What the contract requires and schemathesis cannot take from the document, as checks for every response.

schemathesis imports this module because `schemathesis.toml` names it.
"""

import json
import os
import re
from typing import Any
from urllib.parse import urlsplit

import schemathesis

from tests.contract.document import OPENAI, PLACES, body_of, check_error, check_problem
from tests.contract.wire import exchange, request
from tests.support.agui import AG_UI, check_run
from tests.support.asgi import Whole
from tests.support.chunks import check_completion
from tests.support.keys import bearer
from tests.support.stream import check_stream
from tests.support.ui import UI, check_ui

OTHERS_KEY = "CONTRACT_OTHERS_KEY"
"""An environment variable with the key of a principal unrelated to the checked requests."""

_REQUEST_ID = re.compile("[0-9a-f]{32}")


@schemathesis.check
def stream_obeys_its_grammar(
    _ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> None:
    """`word* (done | failed)`, byte for byte: order, ids, one end, nothing after it, a complete last event.

    Or the grammar of another protocol.
    """
    if _header(response, "content-type").startswith("text/event-stream") and response.request.method != "HEAD":
        if response.stream_cut_short:
            raise AssertionError("the stream did not end")
        if case.path.startswith(OPENAI):
            check_completion(response.content)
            return
        if case.path.startswith(UI):
            check_ui(response.content)
            return
        reply_id, _, after = str(response.request.headers.get("Last-Event-ID", "")).partition(":")
        if case.path.startswith(AG_UI):
            check_run(response.content, after if reply_id or after != "0" else "")
            return
        check_stream(response.content, int(after or 0))


@schemathesis.check
def what_was_waited_for_has_ended(
    _ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> None:
    """The schema of a reply also allows running and failed ones."""
    if response.status_code == 200 and (case.method, case.path) == PLACES["createReply"]:
        state = json.loads(response.content)["state"]
        if state not in {"completed", "cancelled"}:
            raise AssertionError(f"the reply is {state}")


@schemathesis.check
def error_is_a_problem_of_the_document(
    _ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> None:
    """Also for statuses that no operation documents, such as 405. Verbatim, so that nothing is echoed."""
    if response.status_code >= 400 and response.request.method != "HEAD":
        headers = {name: ", ".join(values) for name, values in response.headers.items()}
        check_error(Whole(response.status_code, headers, response.content), case.path)


@schemathesis.check
def response_names_its_request(
    _ctx: schemathesis.CheckContext, response: schemathesis.Response, _case: schemathesis.Case[Any]
) -> None:
    """Every response has its own request id, and none is a redirect."""
    if not _REQUEST_ID.fullmatch(_header(response, "x-request-id")):
        raise AssertionError("there is no X-Request-Id")
    if 300 <= response.status_code < 400:
        raise AssertionError(f"a redirect to {_header(response, 'location')}")


@schemathesis.check
def what_is_anothers_is_as_nothing(
    _ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> None:
    """Law 7: another principal who knows an id can neither read, nor cancel, nor delete what it belongs to."""
    key = os.environ.get(OTHERS_KEY)
    if not key or not case.path_parameters or case.method != "GET" or response.status_code != 200:
        return
    url = urlsplit(str(response.request.url))
    below = url.path.removesuffix(case.path.format(**case.path_parameters))
    for operation_id, (method, path) in PLACES.items():
        if re.findall("{(.*?)}", path) != list(case.path_parameters):
            continue
        target = below + path.format(**case.path_parameters)
        headers = [f"Authorization: {bearer(key)}", "Content-Type: application/json"]
        answer = exchange(url.port or 80, request(method, target, headers, body_of(operation_id) or None))
        if operation_id in {"resumeUiChat", "headUiChat"} and answer.status == 204:
            continue  # nothing is running there
        if answer.status != 404:
            raise AssertionError(f"{method} {path} of what is another's gets {answer.status}")
        if method != "HEAD":
            check_problem(answer)


def _header(response: schemathesis.Response, name: str) -> str:
    return ", ".join(response.headers.get(name, []))
