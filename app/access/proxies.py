"""Proxies in front of the service: whether one of the operator's has passed a request on, and what it says of it."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import structlog
from starlette.types import Scope

ANY = "*"

_LONGEST_ADDRESS = 45
_MOST_HOPS = 32
_SCHEMES = {b"http": "http", b"https": "https"}

_log = structlog.get_logger()


class Proxies:
    """Knows those that are trusted."""

    def __init__(self, trusted: Sequence[str]) -> None:
        """Addresses and networks, or `*`. Raises `ValueError` for anything else."""
        self._all = ANY in trusted
        self._networks = [ip_network(network) for network in trusted if network != ANY]
        self._is_in_one = lru_cache(maxsize=4096)(self._find)
        self._are_set = bool(trusted)
        if self._all:
            _log.warning("CHAT_TRUSTED_PROXIES is *: any client can claim to have any address")

    def believe(self, scope: Scope) -> None:
        """If a trusted proxy has sent this, take the client and the scheme from what it says, and remember that."""
        if not self._are_set:
            return
        client = scope.get("client")
        if not self._trusts(client[0] if client else ""):
            return
        scope["chat.proxied"] = True
        hops: list[bytes] = []
        for name, value in scope["headers"]:
            if name == b"x-forwarded-for":
                hops.append(value)
            elif name == b"x-forwarded-proto":
                scope["scheme"] = _SCHEMES.get(value.strip(), scope["scheme"])
        if hops and (address := self._nearest(b",".join(hops).decode("latin-1"))):
            scope["client"] = (address, 0)

    def _nearest(self, forwarded: str) -> str:
        """The last of the addresses that is no proxy's: what comes before it, anybody can have written."""
        hops = [_address(hop.strip()) for hop in forwarded.rsplit(",", _MOST_HOPS)[-_MOST_HOPS:]]
        return next((hop for hop in reversed(hops) if not self._trusts(hop)), hops[0])

    def _trusts(self, address: str) -> bool:
        return self._all or (0 < len(address) <= _LONGEST_ADDRESS and self._is_in_one(address))

    def _find(self, text: str) -> bool:
        try:
            address: IPv4Address | IPv6Address = ip_address(text)
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped  # a client of a server that listens on both families
        return any(address in network for network in self._networks)


def _address(hop: str) -> str:
    """Without the port that some add."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
