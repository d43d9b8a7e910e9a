"""Errors as `application/problem+json` (RFC 9457).

The texts come from the contract (the examples of its error responses), and the error's `code` selects one. A problem
never contains anything of the request or the text of an exception.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from starlette.responses import Response

from app.access.errors import CredentialsMissing
from app.chat.errors import AccessEnded, ChatError, ConversationBusy, MessageRefused
from app.chat.model import Snapshot
from app.chat.watching import UNMEASURED, Measures
from generated.models import FieldError, Problem, Usage

INTERNAL = "internal"

_UNAUTHORIZED = 401
_PREFIX = "urn:problem:"


class RequestError(Exception):
    """The request is refused before any work is done."""

    def __init__(
        self, code: str, *, errors: Sequence[FieldError] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        """`code` names a problem of the contract; `errors` say where the body is wrong."""
        super().__init__(code)
        self.code = code
        self.errors = list(errors)
        self.headers = dict(headers or {})


class Problems:
    """The problems of the contract, by code."""

    def __init__(
        self,
        problems: Mapping[str, Mapping[str, Any]],
        reply_location: Callable[[str], str],
        measures: Measures = UNMEASURED,
    ) -> None:
        """Validate the problems with the generated model, and check that every domain error has one.

        `reply_location` returns a reply's URL, relative to an operation that starts replies.

        Raises `LookupError` naming the codes that are missing from the contract.
        """
        self._reply_location = reply_location
        self._measures = measures
        self._problems = {code: Problem.model_validate(problem) for code, problem in problems.items()}
        if missing := {INTERNAL, *_codes(ChatError)} - self._problems.keys():
            msg = f"openapi.yaml has no example of these problems: {', '.join(sorted(missing))}"
            raise LookupError(msg)

    def code_with_status(self, status: int) -> str | None:
        """The first problem that has this status."""
        return next((code for code, problem in self._problems.items() if problem.status == status), None)

    def of(self, error: Exception) -> Problem:
        """The problem for an error."""
        match error:
            case MessageRefused():
                errors = [FieldError(pointer="/user_message", detail=error.reason)]
                return self._problems[error.code].model_copy(update={"errors": errors})
            case RequestError() if error.errors:
                return self._problems[error.code].model_copy(update={"errors": error.errors})
            case RequestError() | ChatError():
                return self._problems[error.code]
            case _:
                return self._problems[INTERNAL]

    def of_reply(self, error: Exception, reply: Snapshot) -> Problem:
        """The problem for an error that ended a reply, or ended a reader's access to a reply that may go on."""
        if isinstance(error, AccessEnded):
            return self.of(error)
        cost: dict[str, object] = {"words": reply.words}
        if (usage := reply.usage) is not None:
            cost["usage"] = Usage(prompt_tokens=usage.prompt_tokens, completion_tokens=usage.completion_tokens)
        return self.of(error).model_copy(update=cost)

    def response(self, error: Exception, reply: Snapshot | None = None) -> Response:
        """The response for an error; if `reply` is given, for the error that ended it."""
        problem = self.of(error) if reply is None else self.of_reply(error, reply)
        self._measures.refused(problem.type.removeprefix(_PREFIX))
        headers = {"Cache-Control": "no-store"}
        if problem.status == _UNAUTHORIZED:
            # RFC 6750, section 3.1: no error code for a request without credentials.
            is_missing = isinstance(error, CredentialsMissing)
            headers["WWW-Authenticate"] = 'Bearer realm="chat"' + ("" if is_missing else ', error="invalid_token"')
        if isinstance(error, RequestError):
            headers |= error.headers
        if isinstance(error, ChatError) and error.retry_after_seconds is not None:
            headers["Retry-After"] = str(error.retry_after_seconds)
        if isinstance(error, ConversationBusy):
            headers["Location"] = self._reply_location(error.reply_id)
        body, media_type = self.written(problem, headers)
        return Response(body, problem.status, headers=headers, media_type=media_type)

    def written(self, problem: Problem, headers: dict[str, str]) -> tuple[str, str]:  # noqa: ARG002 - for other protocols
        """A problem's text and its media type. Another protocol's may change the response's headers."""
        return problem.model_dump_json(), "application/problem+json"


def _codes(error: type[ChatError]) -> Iterator[str]:
    for kind in error.__subclasses__():
        yield kind.code
        yield from _codes(kind)
