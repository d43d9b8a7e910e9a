"""Breaking changes that `redocly diff` misses: in streams, headers, access and problems.

Those that it reports with the wrong impact are in `scripts.contract.directions`.
"""

from collections.abc import Iterator

from scripts.contract.documents import ANY_OTHER, STREAM, Document, Node

_GRAMMAR = ("contains", "minContains", "maxContains", "minItems", "maxItems")
"""The constraints on a stream as a whole."""
_PROMISED = ("status", "retryable")
"""The fields that clients rely on, in addition to a problem's type."""


def overlooked(before: Document, after: Document) -> Iterator[tuple[str, str]]:
    """The breaking changes, each as its place and its description."""
    then, now = before.operations(), after.operations()
    for name, operation in then.items():
        if name in now:
            for where, what in _of_operation(before, operation, after, now[name]):
                yield f"{name}{where}", what
    problems = after.problems()
    for kind, problem in before.problems().items():
        if kind not in problems:
            yield "Problems", f"The problem `{kind}` was removed."
        else:
            for field in _PROMISED:
                if (old := problem.get(field)) != (new := problems[kind].get(field)):
                    yield "Problems", f"`{field}` of the problem `{kind}` changed from '{old}' to '{new}'."


def _of_operation(before: Document, then: Node, after: Document, now: Node) -> Iterator[tuple[str, str]]:
    allowed = after.security(now)
    if allowed:
        for way in before.security(then):
            if way not in allowed:
                yield "", f"`{way}` is no longer accepted." if way else "Credentials became required."
    parameters = after.parameters(now)
    for name, parameter in before.parameters(then).items():
        old = before.resolved(parameter.get("schema", {})).get("default")
        if name in parameters and old != (new := after.resolved(parameters[name].get("schema", {})).get("default")):
            yield "", f"The default of the parameter `{name}` changed from '{old}' to '{new}'."
    responses = after.responses(now)
    for status, response in before.responses(then).items():
        if status in responses:
            for what in _of_response(before, response, after, responses[status]):
                yield f" {status}", what


def _of_response(before: Document, then: Node, after: Document, now: Node) -> Iterator[str]:
    headers = now.get("headers", {})
    for name, header in then.get("headers", {}).items():
        if name in headers and _is_required(before, header) and not _is_required(after, headers[name]):
            yield f"The header `{name}` is no longer required."
    old, new = then.get("content", {}), now.get("content", {})
    for media_type in (media_type for media_type in old if media_type in new):
        for word in ("schema", "itemSchema"):
            if word in old[media_type] and word not in new[media_type]:
                yield f"`{media_type}` lost its `{word}`."
        if media_type == STREAM:
            yield from _of_stream(before, old[STREAM], after, new[STREAM])


def _is_required(document: Document, header: Node) -> bool:
    return document.resolved(header).get("required") is True


def _of_stream(before: Document, then: Node, after: Document, now: Node) -> Iterator[str]:
    if "itemSchema" in then.keys() & now.keys():
        events = after.events(now)
        for event in before.events(then):
            if event not in {*events, ANY_OTHER}:
                yield f"The event `{event}` was removed from the stream."
    if "schema" in then.keys() & now.keys():
        old, new = before.resolved(then["schema"]), after.resolved(now["schema"])
        for word in _GRAMMAR:
            if old.get(word) != new.get(word):
                yield f"`{word}` of the stream as a whole changed."
