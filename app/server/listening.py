"""The sockets that the server listens on, and what operators are told where there can be none."""

import errno
import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from app.chat.errors import CannotStart

_BACKLOG = 2048
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "127.0.0.1"}  # noqa: S104 - to tell it from others
_FIRST_FREE_PORT = 1024
_FIRST_INHERITED = 3
"""The first descriptor after the standard streams."""


_NO_SOCKET = (
    "LISTEN_FDS: the service manager passed something else than a TCP socket. Next: set ListenStream to a port, or to "
    "ADDRESS:PORT, in the socket unit"
)


@dataclass(frozen=True, slots=True)
class Named:
    """The settings that name an address and a port."""

    host: str
    port: str


SERVICE = Named("CHAT_HOST", "CHAT_PORT")
METRICS = Named("CHAT_METRICS_HOST", "CHAT_METRICS_PORT")


class CannotListen(CannotStart):
    """The address or the port cannot be had."""


def inherited() -> list[socket.socket]:
    """Sockets that systemd has opened for this process (`sd_listen_fds(3)`); none if it has not.

    They stay open while the service restarts, so no client is refused meanwhile. Raises `CannotListen`.
    """
    process, count = os.environ.pop("LISTEN_PID", ""), os.environ.pop("LISTEN_FDS", "")
    os.environ.pop("LISTEN_FDNAMES", None)  # children must not take them for theirs
    if process != str(os.getpid()) or not count.isdecimal():
        return []
    sockets: list[socket.socket] = []
    for descriptor in range(_FIRST_INHERITED, _FIRST_INHERITED + int(count)):
        try:
            os.set_inheritable(descriptor, False)  # noqa: FBT003 - positional only
            made = socket.socket(fileno=descriptor)
        except OSError:
            raise CannotListen(_NO_SOCKET) from None
        sockets.append(made)
        if made.family not in {socket.AF_INET, socket.AF_INET6} or made.type != socket.SOCK_STREAM:
            raise CannotListen(_NO_SOCKET)
        made.setblocking(False)  # noqa: FBT003 - positional only
    return sockets


def bound(host: str, port: int, named: Named = SERVICE) -> list[socket.socket]:
    """Sockets on all addresses of a host, bound but not yet listening. Port 0 takes one that is free, for all of them.

    `::` is for IPv4, too. Raises `CannotListen`.
    """
    sockets: list[socket.socket] = []
    failure: OSError | None = None
    for family, address in _addresses(host, port, named):
        try:
            made = _bound(family, address, port or (sockets[0].getsockname()[1] if sockets else 0))
        except OSError as error:
            failure = failure or error
            if error.errno != errno.EADDRNOTAVAIL:
                break
        else:
            sockets.append(made)
    if failure is not None and (not sockets or failure.errno != errno.EADDRNOTAVAIL):
        for made in sockets:
            made.close()
        raise cannot_listen(failure, host, port, named) from None
    return sockets


def listen(sockets: Sequence[socket.socket], host: str, named: Named = SERVICE) -> None:
    """Let clients connect. Raises `CannotListen`: another program may have been faster."""
    for made in sockets:
        try:
            made.listen(_BACKLOG)
        except OSError as error:
            raise cannot_listen(error, host, made.getsockname()[1], named) from None


def is_public(sockets: Sequence[socket.socket]) -> bool:
    """Whether others than this machine can connect."""
    return not all(ip_address(made.getsockname()[0].partition("%")[0]).is_loopback for made in sockets)


def url(sockets: Sequence[socket.socket], host: str) -> str:
    """What to open in a browser on this machine."""
    name = _EVERYWHERE.get(host, host)
    return f"http://{f'[{name}]' if ':' in name else name}:{sockets[0].getsockname()[1]}/"


def cannot_listen(error: OSError, host: str, port: int, named: Named = SERVICE) -> CannotListen:
    """Says what is wrong and what to do."""
    place = f"{f'[{host}]' if ':' in host else host}:{port}"
    match error.errno:
        case errno.EADDRINUSE:
            what = f"{named.port}: {place} is in use by another program"
            text = f"{what}. Next: stop that, or set {named.port} to another port"
        case errno.EACCES | errno.EPERM if port < _FIRST_FREE_PORT:
            text = f"{named.port}: this user may not listen on {place}. Next: set {named.port} to 1024 or more"
        case errno.EADDRNOTAVAIL:
            what = f"{named.host}: {host} is not an address of this machine"
            text = f"{what}. Next: set an address that it has, or 0.0.0.0"
        case errno.EAFNOSUPPORT:
            text = f"{named.host}: this machine has no addresses of the kind of {host}. Next: set 0.0.0.0"
        case _:
            reason = error.strerror or type(error).__name__
            text = f"{named.host}, {named.port}: {place} cannot be listened on: {reason}. Next: set others"
    return CannotListen(text)


def _addresses(host: str, port: int, named: Named) -> list[tuple[socket.AddressFamily, str]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, ValueError):  # a name that is too long is a `UnicodeError`
        what = f"{named.host}: the host {host!r} is not known"
        text = f"{what}. Next: set an address of this machine, or 0.0.0.0 for all"
        raise CannotListen(text) from None
    # An address with a zone, such as fe80::1%eth0, keeps it only in the form of `getnameinfo`.
    numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
    return list(dict.fromkeys((family, socket.getnameinfo(at, numeric)[0]) for family, _, _, _, at in found))


def _bound(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # after a restart, at once
        if family == socket.AF_INET6:
            is_dual = address == "::" and socket.has_dualstack_ipv6()
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not is_dual)
        target = socket.getaddrinfo(address, port, family, socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)[0][4]
        made.bind(target)
        made.setblocking(False)  # noqa: FBT003 - positional only
    except BaseException:
        made.close()
        raise
    return made
