"""Chooses a representation by the `Accept` header (RFC 9110, section 12.5.1)."""

from functools import lru_cache

from starlette.types import Scope

from app.http.problems import RequestError


def preferred(scope: Scope, offers: tuple[str, ...]) -> str:
    """The best of the media types on offer, the first one if the client does not mind.

    Of two that the client likes as much, the one that it names wins over the one that a wildcard covers: many HTTP
    libraries say `application/json, */*` and mean JSON.

    Raises `RequestError` if none is acceptable.
    """
    return _preferred(b",".join([value for name, value in scope["headers"] if name == b"accept"]), offers)


@lru_cache(maxsize=256)
def _preferred(header: bytes, offers: tuple[str, ...]) -> str:
    accept = header.decode("latin-1")
    if not accept.strip():
        return offers[0]
    ranges = [_media_range(part) for part in accept.split(",") if part.strip()]
    best = max(offers, key=lambda offer: _liking(offer, ranges))  # max takes the first of equals
    if _liking(best, ranges)[0] <= 0:
        raise RequestError("not-acceptable")
    return best


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


def _liking(offer: str, ranges: list[tuple[str, float]]) -> tuple[float, int]:
    """The quality that the most specific range gives an offer, and how specific that range is (0 to 3)."""
    by_specificity = {"*/*": 1, offer.partition("/")[0] + "/*": 2, offer: 3}
    matches = [
        (by_specificity[media_range], quality) for media_range, quality in ranges if media_range in by_specificity
    ]
    specificity, quality = max(matches, default=(0, 0.0))
    return quality, specificity
