"""Variables that Kubernetes sets for each service of a namespace, so that a service `chat` looks like our settings.

For a service `chat-backend`, it sets `CHAT_BACKEND_SERVICE_HOST`, `CHAT_BACKEND_PORT=tcp://10.0.0.1:8000`,
`CHAT_BACKEND_PORT_8000_TCP_ADDR` and more; Docker's links use the same names
(https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables).
"""

import re
from ipaddress import ip_address

_URL = re.compile(r"(tcp|udp|sctp)://\S+:[0-9]+")
_NUMBER = re.compile("[0-9]{1,5}")
_PROTOCOL = re.compile("tcp|udp|sctp")
_PORT = "_PORT_[0-9]{1,5}_(TCP|UDP|SCTP)"


def is_service_link(name: str, value: str) -> bool:
    """Whether both the name and the value are of the form, so that no typing error passes for one."""
    value = value.strip()
    if name.endswith("_SERVICE_HOST") or re.search(f"{_PORT}_ADDR$", name):
        return _is_address(value)
    if re.search("_SERVICE_PORT(_[A-Z0-9_]+)?$", name) or re.search(f"{_PORT}_PORT$", name):
        return _NUMBER.fullmatch(value) is not None
    if re.search(f"{_PORT}_PROTO$", name):
        return _PROTOCOL.fullmatch(value) is not None
    return re.search(f"_PORT$|{_PORT}$", name) is not None and _URL.fullmatch(value) is not None


def _is_address(value: str) -> bool:
    try:
        ip_address(value)
    except ValueError:
        return False
    return True
