"""What pages of other origins may do here: nothing, but for those origins that the operator allows (CORS).

Browsers tell where a request comes from, and show a page only those answers that it may see. Clients that are no
browsers say nothing of the kind, and are not asked.
"""

from collections.abc import Collection, Mapping, Sequence
from urllib.parse import urlsplit

import structlog
from starlette.responses import Response
from starlette.types import Scope

from app.access.errors import CrossSite

Headers = Sequence[tuple[bytes, bytes]]

SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
"""What each response tells browsers not to do with it."""

_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
_TELLING = {
    b"access-control-request-method",
    b"host",
    b"origin",
    b"sec-fetch-site",
    b"x-forwarded-host",
    b"x-forwarded-port",
    b"x-forwarded-proto",
}
_PORTS = {"http": "80", "https": "443"}
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, PATCH, PUT, DELETE",
    "Access-Control-Allow-Headers": (
        "Authorization, Cache-Control, Content-Type, Idempotency-Key, Last-Event-ID, Pragma, Traceparent, "
        "User-Agent, "  # the AI SDK adds its version
        "X-Run-Id, "  # of TanStack's client for AG-UI
        # What OpenAI's SDK for JavaScript says of itself:
        "OpenAI-Organization, OpenAI-Project, X-Stainless-Arch, X-Stainless-Helper-Method, X-Stainless-Lang, "
        "X-Stainless-OS, X-Stainless-Package-Version, X-Stainless-Retry-Count, X-Stainless-Runtime, "
        "X-Stainless-Runtime-Version, X-Stainless-Timeout"
    ),
    "Access-Control-Max-Age": "600",
}
_EXPOSED = (
    b"Content-Location, Conversation-Id, Location, RateLimit, RateLimit-Policy, Reply-Id, Retry-After, "
    b"WWW-Authenticate, X-Request-Id, X-Should-Retry, X-Vercel-AI-UI-Message-Stream"
)

_HINT = (
    "a page was refused because its Origin does not match the Host of its request. If the page is this service's, "
    "a proxy has changed the Host: let it pass the Host on (nginx: proxy_set_header Host $http_host; Apache: "
    "ProxyPreserveHost On), or name the proxy in CHAT_TRUSTED_PROXIES if it sends X-Forwarded-Host, or add the page's "
    "origin to CHAT_ALLOWED_ORIGINS"
)

_log = structlog.get_logger()


class Origins:
    """Knows those that are allowed."""

    def __init__(self, allowed: Collection[str]) -> None:
        """As browsers write them: `https://example.org`."""
        self._allowed = frozenset(allowed)
        self._has_hinted = False

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

    def refuse_other_sites(self, scope: Scope) -> None:
        """A page of somebody else's must not act for who looks at it.

        Raises `CrossSite` for a request that might change something.
        """
        if scope["method"] in _SAFE_METHODS:
            return
        said = _said(scope["headers"])
        if said.get(b"origin") in self._allowed:
            return
        site = said.get(b"sec-fetch-site")
        if site in {"same-origin", "none"}:
            return
        if site is None:  # over plain HTTP, no browser says it
            if b"origin" not in said or _is_same_host(said, is_proxied="chat.proxied" in scope):
                return
            self._hint()
        raise CrossSite

    def _hint(self) -> None:
        """Once. Either a page of somebody else's has tried, or a proxy has put another Host in."""
        if not self._has_hinted:
            self._has_hinted = True
            _log.warning(_HINT)


def _said(headers: Headers) -> Mapping[bytes, str]:
    return {name: value.decode("latin-1") for name, value in headers if name in _TELLING}


def _is_same_host(said: Mapping[bytes, str], *, is_proxied: bool) -> bool:
    """Whether the page comes from the host that was asked: by Host, or by what a trusted proxy says of it."""
    try:
        origin = urlsplit(said[b"origin"])
    except ValueError:
        return False
    if origin.scheme not in _PORTS:
        return False
    page = _with_port(origin.netloc, _PORTS[origin.scheme])
    if page == _with_port(said.get(b"host", ""), _PORTS[origin.scheme]):
        return True
    if not is_proxied:
        return False
    proto = said.get(b"x-forwarded-proto", origin.scheme).partition(",")[0].strip()
    port = said.get(b"x-forwarded-port", _PORTS.get(proto, "")).partition(",")[0].strip()
    hosts = said.get(b"x-forwarded-host", "").split(",")  # of several proxies; no page of another site can add one
    return any(page == _with_port(host.strip(), port) for host in hosts if host.strip())


def _with_port(host: str, port: str) -> str:
    """Lower case, and with a port: its own or, if it has none, the given one."""
    name, colon, own = host.lower().rpartition(":")
    return f"{name}:{own}" if colon and own.isdigit() else f"{host.lower()}:{port}"
