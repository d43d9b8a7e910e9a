"""Distinguishes responses of the service from those of a hop: a proxy, load balancer or firewall in front of it.

Every response of the service has an `X-Request-Id` of 32 hexadecimal digits. A hop may refuse a request itself, like
nginx refuses TRACE or a body that is too large: that says nothing about the service. A hop that replaces a response of
the service breaks the contract for clients.
"""

# ruff: noqa: PLR2004 - a status is best known by its number

from collections.abc import Mapping

from chat_verify.contract import REQUEST_ID

ITS_OWN = frozenset(
    {400, 403, 405, 408, 411, 413, 414, 416, 417, 421, 425, 426, 429, 431, 494, 501, 502, 503, 504, 505}
)
"""Statuses with which a hop may refuse a request itself, or report that it cannot reach the service."""

TITLE = "Response of a hop"
REPLACES = (
    "the service's own response reaches the client. Next: let the hop pass on the service's errors (in nginx, "
    "`proxy_intercept_errors off` and no `error_page` for this location) and every path below /api"
)


def is_of_a_hop(status: int, headers: Mapping[str, str]) -> bool:
    """Whether a hop in front of the service created this response. Header names must be in lower case.

    Some hops add their own `X-Request-Id` to every response; an HTML page that refuses a request is always a hop's.
    """
    ids = headers.get("x-request-id", "").split(", ")
    is_page = headers.get("content-type", "").startswith("text/html")
    return not any(map(REQUEST_ID.fullmatch, ids)) or (is_page and status in ITS_OWN)


def told(status: int, headers: Mapping[str, str]) -> str:
    """A description of the response."""
    server = headers.get("server", "")
    by = f"a hop in front of the service ({server})" if server else "a hop in front of the service"
    without = "" if "x-request-id" in headers else ", without X-Request-Id"
    return f"{by} answered {status} {headers.get('content-type', '')}".rstrip() + without


def account(asked: str, status: int, headers: Mapping[str, str]) -> str:
    """A request and its response, what that means, and what to do next."""
    return f"{asked}: {told(status, headers)}: {_meaning(status)}"


def _meaning(status: int) -> str:
    if status in {502, 503, 504}:
        return "the hop did not reach the service, or waited for too long (nginx: proxy_read_timeout)"
    if status == 429:
        return "the hop limits requests. Next: a lower --rate"
    if status == 403:
        return "the hop refuses the request, probably by a firewall rule"
    return "the hop refused the request before it reached the service"
