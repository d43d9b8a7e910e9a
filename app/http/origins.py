"""What pages of other origins may do here: nothing, but for those origins that the operator allows (CORS).

Browsers tell where a request comes from, and show a page only those answers that it may see. Clients that are no
browsers say nothing of the kind, and are not asked.
"""

from collections.abc import Collection, Mapping, Sequence
from urllib.parse import urlsplit

from starlette.responses import Response

from app.http.problems import RequestError

Headers = Sequence[tuple[bytes, bytes]]

SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
"""What each response tells browsers not to do with it."""

_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
_TELLING = {b"access-control-request-method", b"host", b"origin", b"sec-fetch-site"}
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, Last-Event-ID",
    "Access-Control-Max-Age": "600",
}
_EXPOSED = (
    b"Content-Location, Conversation-Id, Location, RateLimit, RateLimit-Policy, Reply-Id, Retry-After, "
    b"WWW-Authenticate, X-Request-Id"
)


class Origins:
    """Knows those that are allowed."""

    def __init__(self, allowed: Collection[str]) -> None:
        """As browsers write them: `https://example.org`."""
        self._allowed = frozenset(allowed)

    def response_headers(self, headers: Headers) -> Headers:
        """What the answer to a request with these headers says, whatever it is: errors can be read, too."""
        if not self._allowed:
            return ()
        origin = _said(headers).get(b"origin", "")
        if origin not in self._allowed:
            return [(b"vary", b"Origin")]
        return [
            (b"vary", b"Origin"),
            (b"access-control-allow-origin", origin.encode()),
            (b"access-control-expose-headers", _EXPOSED),
        ]

    def preflight(self, method: str, headers: Headers) -> Response | None:
        """The answer, if a browser asks beforehand whether a page of an allowed origin may send something."""
        if not self._allowed or method != "OPTIONS":
            return None
        said = _said(headers)
        if b"access-control-request-method" not in said or said.get(b"origin") not in self._allowed:
            return None
        return Response(status_code=204, headers=_PREFLIGHT)

    def refuse_other_sites(self, method: str, headers: Headers) -> None:
        """A page of somebody else's must not act for who looks at it.

        Raises `RequestError` for a request that might change something.
        """
        if method in _SAFE_METHODS:
            return
        said = _said(headers)
        if said.get(b"origin") in self._allowed:
            return
        site = said.get(b"sec-fetch-site")
        is_ours = site in {"same-origin", "none"} if site is not None else _is_same_host(said)
        if not is_ours:
            raise RequestError("cross-site")


def _said(headers: Headers) -> Mapping[bytes, str]:
    return {name: value.decode("latin-1") for name, value in headers if name in _TELLING}


def _is_same_host(said: Mapping[bytes, str]) -> bool:
    """For browsers that do not say which site; over plain HTTP, none does."""
    if b"origin" not in said:
        return True
    try:
        return urlsplit(said[b"origin"]).netloc == said.get(b"host")
    except ValueError:
        return False
