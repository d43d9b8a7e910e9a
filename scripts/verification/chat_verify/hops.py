"""Tells an answer of the service from one of a hop: a proxy, a load balancer or a firewall in front of it.

Every answer of the service has an `X-Request-Id` of 32 hexadecimal digits. A hop may refuse a request itself, as nginx
refuses TRACE or a body that is too large: that says nothing about the service. A hop that answers in place of the
service, where the service would have answered, breaks the contract for clients.
"""

# ruff: noqa: PLR2004 - a status is best known by its number

from collections.abc import Mapping

from chat_verify.contract import REQUEST_ID

ITS_OWN = frozenset(
    {400, 403, 405, 408, 411, 413, 414, 416, 417, 421, 425, 426, 429, 431, 494, 501, 502, 503, 504, 505}
)
"""Statuses with which a hop may refuse a request by itself, or say that it cannot reach the service."""

TITLE = "Answer of a hop"
REPLACES = (
    "the service's own answer reaches the client. Next: let the hop pass on the service's errors (in nginx, "
    "`proxy_intercept_errors off` and no `error_page` for this location) and every path below /api"
)


def is_of_a_hop(status: int, headers: Mapping[str, str]) -> bool:
    """Whether something in front of the service made this response. The names of the headers are in lower case.

    Some hops add an `X-Request-Id` of their own to every response; a page that refuses a request is a hop's anyway.
    """
    ids = headers.get("x-request-id", "").split(", ")
    is_page = headers.get("content-type", "").startswith("text/html")
    return not any(map(REQUEST_ID.fullmatch, ids)) or (is_page and status in ITS_OWN)


def told(status: int, headers: Mapping[str, str]) -> str:
    """What came, in words."""
    server = headers.get("server", "")
    by = f"a hop in front of the service ({server})" if server else "a hop in front of the service"
    without = "" if "x-request-id" in headers else ", without X-Request-Id"
    return f"{by} answered {status} {headers.get('content-type', '')}".rstrip() + without


def account(asked: str, status: int, headers: Mapping[str, str]) -> str:
    """A request and what came, with what that means and what to do next."""
    return f"{asked}: {told(status, headers)}: {_meaning(status)}"


def _meaning(status: int) -> str:
    if status in {502, 503, 504}:
        return "the hop did not reach the service, or had to wait for too long (nginx: proxy_read_timeout)"
    if status == 429:
        return "the hop limits requests. Next: --rate with a smaller number"
    if status == 403:
        return "the hop refuses the request: a firewall's rule"
    return "the hop refused the request before it reached the service"
