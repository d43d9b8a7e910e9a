"""The laws of addresses: URLs in responses and documents are correct, also below a path; and HEAD matches GET."""

# ruff: noqa: PLR2004 - a status is best known by its number

import json
import re
from urllib.parse import urljoin

from chat_verify.contract import check_status, operation_of
from chat_verify.exchange import NOTHING, Request, chat, events, get, shown, whole_reply
from chat_verify.exchange import cancelled as cancel_request
from chat_verify.findings import Broken, contract_says
from chat_verify.streams import hear, hear_well, reading
from chat_verify.target import NOBODY
from chat_verify.visit import Visit

_RELATIVE = (
    "Content-Location and Location are relative references, which lead to the reply below any path. Next: let no proxy "
    "rewrite them (nginx: proxy_redirect off)"
)
_SERVERS = "a served document has servers: [{url: ./}], which leads to the API"
_DOCUMENTS = ("/openapi.json", "/openapi-3.1.json", "/openapi.yaml")
_SERVER = re.compile(r"^servers:\n *- *url: *(\S+)$", re.MULTILINE)
_HEAD = "HEAD is answered as GET is, without a body (RFC 9110, section 9.3.2)"


async def addresses(visit: Visit) -> None:
    """Follow each URL in a response, and the servers in the served documents."""
    visit.finding.unit = "addresses"
    request = chat("hello")
    first = await hear_well(visit.target, request)
    for asked, location in (
        (request, first.headers["content-location"]),
        (events(first.reply_id), "events"),
    ):
        again = await hear(visit.target, get(_path(visit, asked, location)), _RELATIVE)
        _is_the_reply(asked, location, first.reply_id, again.reply_id)
        visit.finding.tried += 1
    await _of_json(visit)
    await _of_a_busy_conversation(visit)
    for path in _DOCUMENTS:
        await _of_a_document(visit, path)


async def head(visit: Visit) -> None:
    """Compare HEAD with GET on every path that has both."""
    visit.finding.unit = "requests"
    heard = await hear(visit.target, chat("hello"))
    paths = [
        *("/api/health", "/api/ready", "/api/conversations?limit=1", f"/api/conversations/{heard.conversation_id}"),
        *(f"/api/replies/{heard.reply_id}", f"/api/replies/{heard.reply_id}/events", f"/api/replies/{NOTHING}"),
    ]
    for path in paths:
        request = Request("HEAD", path)
        due = await _status_of(visit, get(path))
        with contract_says(shown(request), _HEAD):
            status, headers, rest = await visit.target.bytes_of(request)
        visit.finding.tried += 1
        if status != due[0] or headers.get("content-type", due[1]) != due[1]:
            came = f"{status} {headers.get('content-type', '')}".rstrip()
            raise Broken(shown(request), came, f"{_HEAD}: {due[0]} {due[1]}")
        if rest:
            raise Broken(shown(request), f"{len(rest)} bytes after the headers: {rest[:80]!r}", _HEAD)
        with contract_says(shown(request), "every status is documented", law="statuses"):
            check_status(operation_of("HEAD", path), status)


async def _status_of(visit: Visit, request: Request) -> tuple[int, str]:
    async with visit.target.open(request) as response:
        return response.status_code, response.headers.get("content-type", "")


async def _of_json(visit: Visit) -> None:
    request = whole_reply("hello")
    answer = await visit.target.get(request, 200, "createReply returns the finished reply")
    location = answer.headers["content-location"]
    found = await visit.target.get(get(_path(visit, request, location)), 200, _RELATIVE)
    _is_the_reply(request, location, answer.json()["reply_id"], found.json().get("reply_id"))
    visit.finding.tried += 1


async def _of_a_busy_conversation(visit: Visit) -> None:
    """The 409 for a second message names the running reply, if it is still running."""
    message = (
        "/simulate stall_after=2\none two three" if visit.simulates else "Count from one to one hundred, in words."
    )
    async with reading(visit.target, chat(message), "a message gets a reply") as reply:
        await reply.on(1)
        heard = reply.heard
        if heard.ended():
            return
        second = chat("hello", heard.conversation_id)
        answer = await visit.target.ask(second)
        location = answer.headers.get("location", "")
        if answer.status == 409:
            found = await visit.target.get(get(_path(visit, second, location)), 200, _RELATIVE)
            _is_the_reply(second, location, heard.reply_id, found.json().get("reply_id"))
            visit.finding.tried += 1
        await visit.target.ask(cancel_request(heard.reply_id))


async def _of_a_document(visit: Visit, path: str) -> None:
    """Check a document's `servers`. It may not be served, if only the API is public."""
    request = get(path, accept="*/*")
    async with visit.target.raw(request, NOBODY) as response:
        content = (await response.aread()).decode("utf-8", "replace")
    server = _server(content, is_json=path.endswith(".json"))
    if response.status_code != 200 or server is None:
        visit.finding.notes.append(f"{path} is not served")
        return
    leads_to = urljoin(visit.target.url_of(request), server)
    if not server or leads_to != f"{visit.target.place.url}/":
        came = f"servers: {server}, which leads to {leads_to}" if server else "a document without servers"
        raise Broken(shown(request), came, f"{_SERVERS} at {visit.target.place.url}/")
    visit.finding.tried += 1


def _server(content: str, *, is_json: bool) -> str | None:
    """The first server in an OpenAPI document, or an empty string; `None` if it is not an OpenAPI document."""
    if not is_json:
        match = _SERVER.search(content)
        return (match[1] if match else "") if content.startswith("openapi:") else None
    try:
        document = json.loads(content)
        return str(document["servers"][0]["url"]) if document.get("servers") else "" if "openapi" in document else None
    except (ValueError, AttributeError, TypeError, KeyError):
        return None


def _path(visit: Visit, request: Request, location: str) -> str:
    """The path that a URL leads to, relative to the deployment. Raises `Broken` if it leads outside."""
    base = visit.target.place.url
    url = urljoin(visit.target.url_of(request), location)
    if not location or not url.startswith(f"{base}/api/"):
        came = f"{location or 'no address'}, which leads to {url}"
        raise Broken(shown(request), came, f"{_RELATIVE}. This one leads out of {base}/api/")
    return url.removeprefix(base)


def _is_the_reply(request: Request, location: str, due: str, found: object) -> None:
    if found != due:
        raise Broken(shown(request), f"{location} leads to reply {found}", f"it leads to reply {due}")
