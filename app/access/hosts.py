"""Which hosts the service answers for.

A page can make its own name lead to this machine once it is loaded (DNS rebinding), and is then of one origin with the
service, for all that a browser knows. The Host header still has the page's name.
"""

import re
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from ipaddress import ip_address

import structlog
from starlette.types import Scope

from app.access.errors import HostNotAllowed

_MOST_HOSTS = 1024
_MOST_BYTES = 262
"""No host is longer; longer ones would only fill the cache."""

_log = structlog.get_logger()


class Hosts:
    """Knows those that are meant."""

    def __init__(
        self, allowed: Sequence[str], bound: str, is_public: Callable[[], bool], open_paths: Collection[str]
    ) -> None:
        """Answer for those that are `allowed`.

        Where there are none: for any if it `is_public`, else for names of this machine and for `bound`, which the
        server was told to listen on. Probes call by any name, so `open_paths` are always answered.
        """
        self._allowed = _pattern(allowed) if allowed else None
        self._bound = bound.strip("[]").lower()
        self._is_public = is_public
        self._open_paths = frozenset(open_paths)
        self._has_warned = False
        self._is_local = lru_cache(_MOST_HOSTS)(self._names_this_machine)

    def refuse_others(self, scope: Scope) -> None:
        """Raises `HostNotAllowed`."""
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if self._is_meant(hosts, scope) or scope["path"] in self._open_paths:
            return
        if not self._has_warned:
            self._has_warned = True
            _log.warning("a request for another host was refused; CHAT_ALLOWED_HOSTS lists the hosts to serve")
        raise HostNotAllowed

    def _is_meant(self, hosts: Sequence[bytes], scope: Scope) -> bool:
        if self._allowed is not None:
            return len(hosts) == 1 and self._allowed.fullmatch(hosts[0]) is not None
        if not hosts or self._is_public():  # browsers always name one
            return True
        server = scope.get("server")
        return (
            len(hosts) == 1 and len(hosts[0]) <= _MOST_BYTES and self._is_local(hosts[0], server[0] if server else "")
        )

    def _names_this_machine(self, host: bytes, address: str) -> bool:
        """Whether the host is a loopback name, or what the server or this connection is bound to."""
        name = re.sub(r":[0-9]*$", "", host.decode("latin-1").lower())
        name = name[1:-1] if name.startswith("[") else name
        if name in {self._bound, address} or name == "localhost" or name.endswith(".localhost"):
            return bool(name)
        try:
            return ip_address(name).is_loopback
        except ValueError:
            return False


def _pattern(hosts: Sequence[str]) -> re.Pattern[bytes]:
    """Any of the hosts, with any port. `*.` stands for one label or more."""
    patterns = [re.escape(host).replace(r"\*\.", r"(?:[a-z0-9_-]+\.)+") for host in hosts]
    return re.compile(rf"(?:{'|'.join(patterns)})(?::[0-9]+)?".encode(), re.IGNORECASE)
