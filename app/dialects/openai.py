"""OpenAI's Chat Completions, on the way in: what a request asks, and how an error is told.

What the service does not do is refused by its name. The responses are in `app.dialects.completions`.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from pydantic import MISSING

from app.chat.model import Conversation, Message, Sampling
from app.chat.watching import UNMEASURED, Measures
from app.http.accept import JSON
from app.http.problems import Problems, RequestError
from generated.models import ChatCompletionMessage, ChatCompletionRequest, FieldError, Problem

_UNSUPPORTED: Mapping[str, Callable[[Any], bool]] = {
    "tool_choice": lambda value: value not in (None, "auto", "none"),
    "function_call": lambda value: value not in (None, "auto", "none"),
    "n": lambda value: value not in (None, 1),
    "logprobs": lambda value: value is not None and value is not False,  # 0 equals it
    "response_format": lambda value: value is not None and _type(value) != "text",
    "audio": lambda value: value is not None,
    "web_search_options": lambda value: value is not None,
}
"""Whether a field of a request asks for what the service does not do.

Tools that may be called are ignored, as a model may do that calls none: front ends offer theirs with every message.
"""
_INTEGERS = ("max_tokens", "max_completion_tokens", "n")
_ROLES_OF_TOOLS = ("tool", "function")

_BETWEEN_PARTS = "\n"
_BETWEEN_INSTRUCTIONS = "\n\n"

_KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_SERVER_ERROR = 500
_LONGEST_WAIT_SECONDS = 60
"""SDKs do not wait for longer: they try again at once instead."""
_FIELDS = {"messages", "role", "content", "type", "text", "include_usage", *ChatCompletionRequest.model_fields}

_Value = TypeVar("_Value")


def prepare(value: Any) -> None:  # noqa: ANN401 - any JSON
    """Make a body fit for its model, if it asks for nothing that the service does not do. Raises `RequestError`."""
    if not isinstance(value, dict):
        return
    for field in _INTEGERS:
        if isinstance(number := value.get(field), float) and number.is_integer():
            value[field] = int(number)  # 1.0 is an integer in JSON Schema, and some languages write it so
    for field, is_asked in _UNSUPPORTED.items():
        if is_asked(value.get(field)):
            raise _unsupported(field)
    for index, message in _numbered(value.get("messages")):
        if isinstance(message, dict):
            _refuse_message(index, message)


def _refuse_message(index: int, message: dict[str, Any]) -> None:
    if message.get("role") in _ROLES_OF_TOOLS:
        raise _unsupported(f"messages/{index}/role")
    for number, part in _numbered(message.get("content")):
        if _type(part) not in (None, "text"):
            raise _unsupported(f"messages/{index}/content/{number}")


def conversation_of(body: ChatCompletionRequest) -> Conversation:
    """The conversation that a request brings, with what it asks of the model. Raises `RequestError`."""
    instructions: list[str] = []
    messages: list[Message] = []
    for message in body.messages:
        match message.role:
            case "system" | "developer":
                instructions.append(_text(message))
            case role:
                messages.append(Message(role, _text(message)))
    if all(message.role != "user" for message in messages):
        raise RequestError("invalid-body", errors=[FieldError(pointer="/messages", detail="No message is a user's.")])
    stop = _given(body.stop) or []
    limits = (_given(body.max_tokens), _given(body.max_completion_tokens))
    return Conversation(
        tuple(messages),
        _BETWEEN_INSTRUCTIONS.join(filter(None, instructions)) or None,
        Sampling(
            _given(body.temperature),
            min(filter(None, limits), default=None),
            tuple(filter(None, [stop] if isinstance(stop, str) else stop)),
        ),
    )


def wants_usage(body: ChatCompletionRequest) -> bool:
    """Whether the stream is to end with its usage."""
    options = _given(body.stream_options)
    return options is not None and options.include_usage is True


class OpenAIProblems(Problems):
    """Problems in OpenAI's shape, on one line of ASCII."""

    def __init__(self, problems: Mapping[str, Mapping[str, Any]], door: str, measures: Measures = UNMEASURED) -> None:
        """`door` is the path of chat completions. A client that looks for another operation is told."""
        super().__init__(problems, lambda _: "", measures)  # no reply has an address
        self._door = door
        self._folder = door[: door.index("/", 1) + 1]

    def cover(self, path: str) -> bool:
        """Whether a path belongs to OpenAI's API, whether or not there is an operation."""
        return f"{path}/".startswith(self._folder)

    def written(self, problem: Problem, headers: dict[str, str]) -> tuple[str, str]:
        """As JSON; OpenAI's SDKs are also told whether to try again."""
        is_worth_it = problem.retryable and int(headers.get("Retry-After", "1")) <= _LONGEST_WAIT_SECONDS
        headers["X-Should-Retry"] = str(is_worth_it).lower()
        return self.text(problem), JSON

    def text(self, problem: Problem) -> str:
        """`{"error": {"message", "type", "param", "code"}}`."""
        code = problem.type.removeprefix("urn:problem:")
        param, message = None, problem.detail
        if problem.errors is not MISSING and problem.errors:
            places = [(_param(error.pointer), error.detail) for error in problem.errors]
            param, detail = max(places, key=lambda place: place[0].count(".") + place[0].count("["))
            message = f"{param}: {detail}" if param else detail
        elif code == "path-not-found":
            message = f"{message} For chat completions, use POST {self._door}."
        kind = (
            "server_error" if problem.status >= _SERVER_ERROR else _KINDS.get(problem.status, "invalid_request_error")
        )
        error = {"message": message, "type": kind, "param": param or None, "code": code}
        return json.dumps({"error": error}, separators=(",", ":"))


def _kind(status: int) -> str:
    return "server_error" if status >= _SERVER_ERROR else _KINDS.get(status, "invalid_request_error")


def _unsupported(place: str) -> RequestError:
    detail = "The service does not do what this field asks for. Leave it out."
    return RequestError("unsupported-parameter", errors=[FieldError(pointer=f"/{place}", detail=detail)])


def _param(pointer: str) -> str:
    """A place as OpenAI writes it: `messages[0].content`. A JSON Pointer's other parts are names of our own schemas."""
    if pointer == "/user_message":
        return "messages"
    parts = [part for part in pointer.split("/") if part.isdigit() or part in _FIELDS]
    return "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in parts).removeprefix(".")


def _numbered(value: object) -> Iterator[tuple[int, object]]:
    yield from enumerate(value if isinstance(value, list) else ())


def _type(value: object) -> object:
    return value.get("type") if isinstance(value, dict) else None


def _given(value: _Value | MISSING) -> _Value | None:
    return None if value is MISSING else value


def _text(message: ChatCompletionMessage) -> str:
    content = _given(message.content)
    if content is None or isinstance(content, str):
        return content or ""
    return _BETWEEN_PARTS.join(part.text for part in content)
