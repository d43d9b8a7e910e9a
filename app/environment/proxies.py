"""The proxy for requests of the service's own, as other clients find it: `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`.

Nothing else is taken from the environment, above all no credentials of `.netrc`, which belong to people.
"""

import re
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from app.environment.cleaned import cleaned

_PORTS = {"http": 80, "https": 443}
_ITEM = re.compile(r"[,\s]+")


def proxy_for(url: str, environment: Mapping[str, str]) -> str | None:
    """The proxy that a request to this URL goes through; `None` for none, and always for addresses of this machine.

    There may be a password in it. Raises `ValueError` for one that cannot be used, naming the variable.
    """
    target = urlsplit(url)
    host = (target.hostname or "").rstrip(".")
    if _is_loopback(host) or _is_excepted(host, target.port or _PORTS.get(target.scheme, 0), _said("no", environment)):
        return None
    for kind in (target.scheme, "all"):
        if said := _said(kind, environment):
            return _checked(f"{kind.upper()}_PROXY", said)
    return None


def _said(kind: str, environment: Mapping[str, str]) -> str:
    for name in (f"{kind}_proxy", f"{kind.upper()}_PROXY"):
        if said := cleaned(environment.get(name, "")):
            return said
    return ""


def _checked(variable: str, said: str) -> str:
    proxy = said if "://" in said else f"http://{said}"
    try:
        parts = urlsplit(proxy)
        is_good = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good, parts = False, SplitResult("", "", "", "", "")
    if not is_good:
        msg = f"{variable}: this is not the address of a proxy. Next: write http://HOST:PORT"
        raise ValueError(msg)
    if parts.scheme not in _PORTS:
        msg = (
            f"{variable}: proxies of the kind {parts.scheme}:// are not supported. Next: use an HTTP proxy, or NO_PROXY"
        )
        raise ValueError(msg)
    return proxy


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _is_excepted(host: str, port: int, no_proxy: str) -> bool:
    return any(_covers(item, host, port) for item in _ITEM.split(no_proxy.lower()) if item)


def _covers(item: str, host: str, port: int) -> bool:
    """Whether an item of `NO_PROXY` means a host: a name with its subdomains, an address or a network, or `*`."""
    if item == "*":
        return True
    match = re.fullmatch(r"(\[[^\]]+\]|[^:]+):([0-9]+)", item)
    if match:
        item = match[1]
        if int(match[2]) != port:
            return False
    item = item.strip("[]")
    try:
        network = ip_network(item, strict=False)
    except ValueError:
        name = item.removeprefix("*").strip(".")
        return bool(name) and (host == name or host.endswith(f".{name}"))
    try:
        return ip_address(host) in network
    except ValueError:
        return False
