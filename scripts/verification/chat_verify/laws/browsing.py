"""The law of browsers: a page of the deployment may act, a page of another site may not.

A browser tells which page sends a request with `Origin` and, over HTTPS and on its own machine, with `Sec-Fetch-Site`.
The service compares them with `Host`; behind a proxy that rewrites `Host`, its own page looks like another site's.
"""

# ruff: noqa: PLR2004 - a status is best known by its number

from ipaddress import ip_address
from urllib.parse import urlsplit

from chat_verify.exchange import NOTHING, Request, shown
from chat_verify.exchange import cancelled as cancel_request
from chat_verify.findings import Broken
from chat_verify.visit import Visit

_ELSEWHERE = "https://elsewhere.invalid"
_NEXT = (
    "Next: let the proxy pass on the Host header unchanged (nginx: `proxy_set_header Host $http_host;`, as `$host` "
    "would drop the port; Apache: `ProxyPreserveHost On`); or, if it sends X-Forwarded-Host, list it in "
    "CHAT_TRUSTED_PROXIES; or allow the origin with CHAT_ALLOWED_ORIGINS"
)
_OWN = "a page of the deployment itself is not refused as cross-site. "
_FOREIGN = (
    "a browser's request that could change something is refused (403 cross-site) if a page of another origin sent it. "
    "Next: let the proxy pass on Origin and Sec-Fetch-Site"
)


async def browser(visit: Visit) -> None:
    """Cancel a nonexistent reply as pages of several sites: that changes nothing and costs nothing."""
    visit.finding.unit = "requests"
    url = visit.target.place.url
    origin = origin_of(url)
    is_trusted = sends_its_site(url)
    own = _sent_by(origin, "same-origin" if is_trusted else "")
    if await _is_refused(visit, own):
        raise Broken(shown(own), f"403 cross-site to a page of {origin}", _OWN + _NEXT)
    if is_trusted and await _is_refused(visit, _sent_by(origin, "")):
        where = (
            "over plain HTTP from another machine" if url.startswith("http:") else "that is old (Safari before 16.4)"
        )
        visit.finding.warnings.append(
            f"a browser {where} sends Origin without Sec-Fetch-Site, and is refused here: 403 cross-site. {_NEXT}"
        )
    for foreign in (_sent_by(_ELSEWHERE, "cross-site"), _sent_by(_ELSEWHERE, "")):
        if not await _is_refused(visit, foreign):
            raise Broken(shown(foreign), f"it is not refused, though a page of {_ELSEWHERE} sent it", _FOREIGN)


def origin_of(url: str) -> str:
    """The origin as a browser writes it: without the scheme's default port."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    is_usual = parts.port in {None, {"http": 80, "https": 443}[parts.scheme]}
    return f"{parts.scheme}://{host}" + ("" if is_usual else f":{parts.port}")


def sends_its_site(url: str) -> bool:
    """Whether a browser sends `Sec-Fetch-Site` to this URL: only over HTTPS, or to its own machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        is_local = ip_address(host).is_loopback
    except ValueError:
        is_local = host == "localhost" or host.endswith(".localhost")
    return parts.scheme == "https" or is_local


def _sent_by(origin: str, site: str) -> Request:
    told = {"sec_fetch_site": site, "sec_fetch_mode": "cors", "sec_fetch_dest": "empty"} if site else {}
    return cancel_request(NOTHING).plus(origin=origin, **told)


async def _is_refused(visit: Visit, request: Request) -> bool:
    answer = await visit.target.ask(request)
    visit.finding.tried += 1
    return answer.status == 403
