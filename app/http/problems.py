"""Errors as `application/problem+json` (RFC 9457).

What a problem says is the contract's (the examples of its error responses); which one it is, the error's `code`.
Nothing of the request, and no exception's text, ever gets into one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from starlette.responses import Response

from app.chat.errors import ChatError, ConversationBusy, MessageRefused
from generated.models import FieldError, Problem

INTERNAL = "internal"

_UNAUTHORIZED = 401


class RequestError(Exception):
    """A request that is refused before any work is done."""

    def __init__(
        self, code: str, *, errors: Sequence[FieldError] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        """`code` names a problem of the contract; `errors` say where the body is wrong."""
        super().__init__(code)
        self.code = code
        self.errors = list(errors)
        self.headers = dict(headers or {})


class Problems:
    """All problems that the contract has, by code."""

    def __init__(self, problems: Mapping[str, Mapping[str, Any]], reply_address: Callable[[str], str]) -> None:
        """Check them against the generated model, and that every domain error has one.

        `reply_address` tells the path of a reply.

        Raises `LookupError` naming the codes that the contract lacks.
        """
        self.reply_address = reply_address
        self._problems = {code: Problem.model_validate(problem) for code, problem in problems.items()}
        if missing := {INTERNAL, *_codes(ChatError)} - self._problems.keys():
            msg = f"openapi.yaml has no example of these problems: {', '.join(sorted(missing))}"
            raise LookupError(msg)

    def code_with_status(self, status: int) -> str | None:
        """The first problem that has this status."""
        return next((code for code, problem in self._problems.items() if problem.status == status), None)

    def of(self, error: Exception) -> Problem:
        """What to tell about an error."""
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

    def response(self, error: Exception) -> Response:
        """The response that tells about an error."""
        problem = self.of(error)
        headers = {"Cache-Control": "no-store"}
        if problem.status == _UNAUTHORIZED:
            # RFC 6750, section 3.1: who showed nothing is told of no error.
            is_missing = isinstance(error, RequestError) and error.code == "credentials-missing"
            headers["WWW-Authenticate"] = 'Bearer realm="chat"' + ("" if is_missing else ', error="invalid_token"')
        if isinstance(error, RequestError):
            headers |= error.headers
        if isinstance(error, ChatError) and error.retry_after_seconds is not None:
            headers["Retry-After"] = str(error.retry_after_seconds)
        if isinstance(error, ConversationBusy):
            headers["Location"] = self.reply_address(error.reply_id)
        return Response(
            problem.model_dump_json(), problem.status, headers=headers, media_type="application/problem+json"
        )


def _codes(error: type[ChatError]) -> Iterator[str]:
    for kind in error.__subclasses__():
        yield kind.code
        yield from _codes(kind)
