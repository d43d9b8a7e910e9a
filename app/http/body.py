"""Parses request bodies as strictly as the contract requires.

The framework's own parsing is more lenient: it accepts `"1"` for 1, the last of two duplicate keys, `NaN`, and lone
surrogates. Here the raw bytes are parsed, so that all of these are refused with a problem.
"""

import asyncio
import json
import re
from collections.abc import Callable, Iterable
from typing import Any, Never, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from app.http.field_errors import MAX_ERRORS, field_errors
from app.http.immediate import offered
from app.http.problems import RequestError
from generated.models import FieldError

_MOST_DIGITS = 310
"""The largest float has fewer digits, so a longer integer is infinite as a float, which no field accepts."""
_AS_IT_IS = b"identity"

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_VALUE = rb"(?:%b|\"(?:[^\"\\]|\\.)*\")" % _TOKEN
_PARAMETER = rb"[ \t]*(?:charset=(?:utf-?8|\"utf-?8\")|(?!charset=)%b=%b)" % (_TOKEN, _VALUE)
_UTF8_JSON = re.compile(rb"application/json(?:[ \t]*;(?:%b)?)*[ \t]*" % _PARAMETER, re.IGNORECASE)
"""A Content-Type (RFC 9110, section 8.3). The standard library's parser may raise any exception."""

Model = TypeVar("Model", bound=BaseModel)


Rule = Callable[[dict[str, Any]], Iterable[FieldError]]
"""What is wrong with an object that a model cannot say."""


def _no_rule(_: dict[str, Any]) -> Iterable[FieldError]:
    """The default of `BodyReader.read`."""
    return ()


class BodyReader:
    """Reads request bodies within limits on size and time."""

    def __init__(self, max_bytes: int, max_seconds: float) -> None:
        """A body may have up to `max_bytes` and take up to `max_seconds` to arrive."""
        self._max_bytes = max_bytes
        self._max_seconds = max_seconds

    async def read(
        self,
        request: Request,
        model: type[Model],
        rule: Rule = _no_rule,
        prepare: Callable[[Any], None] | None = None,
    ) -> Model:
        """The body, parsed into the model, if it obeys the rule as well.

        `prepare` sees the JSON first: it may change it, and raises what is wrong with it.

        Raises `RequestError` with a problem whose status is 400, 408, 413, 415 or 422.
        """
        headers = _headers(request)
        if (
            not _UTF8_JSON.fullmatch(headers.get(b"content-type", b""))
            or headers.get(b"content-encoding", _AS_IT_IS).lower() != _AS_IT_IS
        ):
            raise RequestError("unsupported-media-type")
        length = headers.get(b"content-length", b"0")
        if length.isdigit():
            self._check_size(int(length))
        exchange = offered(request.scope)
        body = exchange.whole_body() if exchange is not None else None
        if body is None:
            body = await self._bytes(request)
        self._check_size(len(body))  # if it came in chunks, its length was not announced
        value = _parsed(body)
        if prepare is not None:
            prepare(value)
        return _validated(value, model, rule)

    def _check_size(self, size: int) -> None:
        if size > self._max_bytes:
            raise RequestError("body-too-large", headers={"Connection": "close"})

    async def _bytes(self, request: Request) -> bytes:
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._max_seconds):
                while True:
                    message = await request.receive()
                    if message["type"] == "http.disconnect":
                        raise RequestError("malformed-body")  # the client left half-way: only for the access log
                    chunk = message.get("body", b"")
                    size += len(chunk)
                    self._check_size(size)
                    chunks.append(chunk)
                    if not message.get("more_body", False):
                        return b"".join(chunks)
        except TimeoutError:
            raise RequestError("body-too-slow", headers={"Connection": "close"}) from None


def _headers(request: Request) -> dict[bytes, bytes]:
    """By name. Repeated headers are joined into a list (RFC 9110, 5.3); none that is used here allows a list."""
    lines: list[tuple[bytes, bytes]] = request.scope["headers"]
    headers = dict(lines)
    if len(headers) < len(lines):
        return {wanted: b", ".join([value for name, value in lines if name == wanted]) for wanted in headers}
    return headers


def _parsed(body: bytes) -> Any:  # noqa: ANN401 - JSON has no narrower type
    try:
        return _DECODER.decode(body.decode("utf-8"))
    except (ValueError, RecursionError):  # invalid UTF-8 is a ValueError too
        raise RequestError("malformed-body") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object, refusing duplicate keys: parsers disagree about which one wins."""
    result = dict(pairs)
    if len(result) != len(pairs):
        msg = "duplicate key"
        raise ValueError(msg)
    return result


def _no_constant(_: str) -> Never:
    msg = "NaN and Infinity are not JSON"
    raise ValueError(msg)


def _integer(digits: str) -> float:
    """An integer; a very long one becomes a float, as in JavaScript, because `int` takes quadratic time or refuses."""
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_constant, parse_int=_integer)


def _validated(value: Any, model: type[Model], rule: Rule) -> Model:  # noqa: ANN401 - any JSON value
    errors = list(rule(value)) if isinstance(value, dict) else []
    try:
        valid = model.model_validate(value, strict=True)
        if not errors:
            return valid
    except ValidationError as error:
        errors += field_errors(error, value, model)
    raise RequestError("invalid-body", errors=errors[:MAX_ERRORS])
