"""Values as people write them, turned into the one form that the service works with.

Each function raises `ValueError` with what to write instead. None repeats a value that may be a secret.
"""

import json
import re
from collections.abc import Callable
from ipaddress import IPv6Address, ip_interface, ip_network
from urllib.parse import urlsplit

_ITEM = re.compile(r"[,\s]+")
_NAME = re.compile(r"(\*\.)?[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?\.?")
_PORTS = {"http": 80, "https": 443}
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\x20-\x7e\t]*")
_OUR_HEADERS = {
    "accept",
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "expect",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}


def listed(value: object) -> object:
    """A list from text: items with commas or white space between them, a JSON list, or one item alone."""
    if not isinstance(value, str):
        return value
    if value.startswith("["):
        try:
            items = json.loads(value)
        except (ValueError, RecursionError):
            pass  # an IPv6 address, perhaps
        else:
            if isinstance(items, list):
                return [item.strip() if isinstance(item, str) else item for item in items]
    return [item.strip("'\"") for item in _ITEM.split(value) if item]


def json_object(value: object) -> object:
    """A JSON object from text. `NaN` and `Infinity` are not JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        msg = 'write a JSON object, such as {"name": "value"}'
        raise ValueError(msg) from None


def one_of(*words: str) -> Callable[[object], object]:
    """A function that gives each word the case in which it is known."""
    known = {word.lower(): word for word in words}
    return lambda value: known.get(value.lower(), value) if isinstance(value, str) else value


def listen_address(text: str) -> str:
    """An address to listen on, without the brackets that URLs put around IPv6 addresses."""
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    if "/" in text or text.count(":") == 1:
        msg = "write the address alone, such as 127.0.0.1; CHAT_PORT is for the port"
        raise ValueError(msg)
    return text


def host_name(text: str) -> str:
    """A host of requests: a name, `*.` and a name, or an address; IPv6 in brackets, as the `Host` header has it."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return f"[{IPv6Address(bare)}]"
    except ValueError:
        pass
    if text == "*":
        msg = "* is not a host. Next: list the names; unset, all are served if credentials are required"
        raise ValueError(msg)
    if not _NAME.fullmatch(text):
        msg = f"{text!r} is not a host. Next: write the name alone, such as example.org or *.example.org"
        raise ValueError(msg)
    return text


def origin(text: str) -> str:
    """An origin as browsers send it: lower case, no slash at the end, no port that its scheme has anyway."""
    try:
        url = urlsplit(text)
        port, name = url.port, url.hostname or ""
        name = f"[{IPv6Address(name)}]" if ":" in name else name.encode("idna").decode()
    except ValueError:  # UnicodeError too
        url, port, name = None, None, ""
    if url is None or url.scheme not in _PORTS or not re.fullmatch(r"[a-z0-9._-]+|\[.+\]", name) or "@" in url.netloc:
        msg = f"{text!r} is not an origin. Next: write it as browsers do, such as https://example.org"
        raise ValueError(msg)
    plain = f"{url.scheme}://{name}" + (f":{port}" if port not in {None, _PORTS[url.scheme]} else "")
    if url.path not in {"", "/"} or url.query or url.fragment:
        msg = f"{text!r} is more than an origin. Next: write {plain}"
        raise ValueError(msg)
    return plain


def proxy(text: str) -> str:
    """An address, a network, or `*`."""
    if text == "*":
        return text
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        msg = f"{text!r} is no address; write those of the proxies, or their networks, such as 10.0.0.0/8"
        raise ValueError(msg) from None
    if "/" in text and ip_interface(text).ip != network.network_address:
        msg = f"{text} is an address within a network; write {network}, or the address alone"
        raise ValueError(msg)
    return text


def header_name(text: str) -> str:
    """A header that a request may have in addition to those that the service sends itself."""
    if not _HEADER_NAME.fullmatch(text):
        msg = f"{text!r} cannot be the name of a header"
        raise ValueError(msg)
    if text.lower() in _OUR_HEADERS:
        msg = f"{text} is sent by the service itself. Next: remove it"
        raise ValueError(msg)
    return text


def header_value(name: str, text: str) -> str:
    """What may stand behind the name of a header: ASCII without line breaks."""
    if not _HEADER_VALUE.fullmatch(text):
        msg = f"the value of {name} has a line break, or a character that headers cannot have. Next: use ASCII alone"
        raise ValueError(msg)
    return text.strip()


def _refuse_constant(name: str) -> None:
    raise ValueError(name)
