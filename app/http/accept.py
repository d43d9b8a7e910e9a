"""Refuses a request whose `Accept` header excludes what the operation returns (RFC 9110, section 12.5.1)."""

from functools import lru_cache

from starlette.types import Scope

from app.http.problems import RequestError

JSON = "application/json"
EVENT_STREAM = "text/event-stream"

_REFUSALS = {JSON: "json-only", EVENT_STREAM: "stream-only"}


def require_acceptable(scope: Scope, media_type: str) -> None:
    """Return if the client accepts the media type, or sends no `Accept`.

    Raises `RequestError` with a problem that names the operation for the other media type.
    """
    accept = b",".join([value for name, value in scope["headers"] if name == b"accept"])
    if not _accepts(accept, media_type):
        raise RequestError(_REFUSALS[media_type])


def prefers(scope: Scope, media_type: str, default: str) -> bool:
    """Whether the client names the media type, and likes it at least as much as the default."""
    accept = b",".join([value for name, value in scope["headers"] if name == b"accept"]).decode("latin-1")
    qualities: dict[str, float] = {}
    for part in accept.split(","):
        name, quality = _media_range(part)
        qualities[name] = max(quality, qualities.get(name, 0.0))
    return 0 < qualities.get(media_type, 0.0) >= qualities.get(default, 0.0)


@lru_cache(maxsize=256)
def _accepts(header: bytes, media_type: str) -> bool:
    accept = header.decode("latin-1")
    if not accept.strip():
        return True
    by_specificity = {"*/*": 1, media_type.partition("/")[0] + "/*": 2, media_type: 3}
    ranges = [_media_range(part) for part in accept.split(",") if part.strip()]
    matches = [(by_specificity[name], quality) for name, quality in ranges if name in by_specificity]
    _, quality = max(matches, default=(0, 0.0))  # the most specific range wins
    return quality > 0


def _media_range(part: str) -> tuple[str, float]:
    """Split into the media range, in lower case, and its quality."""
    media_range, *parameters = (piece.strip().lower() for piece in part.split(";"))
    quality = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                quality = float(value)
            except ValueError:
                quality = 0.0
    return media_range, quality if 0.0 <= quality <= 1.0 else 0.0
