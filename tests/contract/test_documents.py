"""The document itself, as served by the service."""

import gzip
import hashlib
import json
import re
from collections.abc import Iterator

import pytest
import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator, OpenAPIV32SpecValidator, validate

from tests.contract.document import DOCUMENT, ROOT
from tests.contract.wire import exchange, request
from tests.support.agui import AG_UI
from tests.support.asgi import Whole
from tests.support.server import LiveServer
from tests.support.ui import UI

VIEWER = "/docs/scalar.js"
TYPES = {
    "/openapi.yaml": "application/yaml",
    "/openapi.json": "application/json",
    "/openapi-3.1.json": "application/json",
    "/docs": "text/html; charset=utf-8",
    VIEWER: "text/javascript; charset=utf-8",
    "/docs/styles.js": "text/javascript; charset=utf-8",
    "/docs/servers.js": "text/javascript; charset=utf-8",
    "/docs/header.css": "text/css; charset=utf-8",
    "/": "text/html; charset=utf-8",
    "/page/main.js": "text/javascript; charset=utf-8",
    "/page/chat.css": "text/css; charset=utf-8",
    "/page/icon.svg": "image/svg+xml",
    "/vendor/marked.js": "text/javascript; charset=utf-8",
    "/vendor/modes/python.js": "text/javascript; charset=utf-8",
}
TAGGED = ["/openapi.yaml", "/openapi.json", "/openapi-3.1.json", "/page/main.js", "/vendor/marked.js"]


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """The service."""
    with LiveServer("greeter") as server:
        yield server


FOREIGN = r"\b(Ag)?Ui[A-Z]|ChatCompletion|OpenAI|^Model|CompletionUsage|CreatedSeconds"
"""Names of schemas of other protocols."""


def get(server: LiveServer, path: str, *headers: str) -> Whole:
    """Get one of the documents."""
    return exchange(server.port, request("GET", path, headers))


@pytest.mark.parametrize("path", TYPES)
def test_it_is_served_as_what_it_is(path: str, server: LiveServer) -> None:
    """With a type and an ETag, and without sniffing."""
    answer = get(server, path)
    assert answer.status == 200
    assert answer.headers["content-type"] == TYPES[path]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])
    assert exchange(server.port, request("HEAD", path)).status == 200


def test_the_document_is_the_file(server: LiveServer) -> None:
    """Byte for byte, followed by its server: relative to its own URL. And as JSON, with equal content."""
    served = get(server, "/openapi.yaml").content
    assert served.startswith((ROOT / "openapi.yaml").read_bytes())
    here = {"servers": [{"url": "./", "description": "The server that serves this document."}]}
    assert yaml.safe_load(served) == DOCUMENT | here
    assert get(server, "/openapi.json").json() == DOCUMENT | here
    derived = json.loads((ROOT / "generated" / "openapi-3.1.json").read_text("utf-8"))
    assert get(server, "/openapi-3.1.json").json() == derived | here
    assert "servers" not in DOCUMENT | derived  # a file on disk has no server


@pytest.mark.parametrize("path", TAGGED)
def test_who_has_it_already_is_told_so(path: str, server: LiveServer) -> None:
    """By the ETag, in any form."""
    fresh = get(server, path)
    tag = fresh.headers["etag"]
    for known in (tag, f"W/{tag}", f'"another", {tag}', "*"):
        answer = get(server, path, f"If-None-Match: {known}")
        assert (answer.status, answer.content, answer.headers["etag"]) == (304, b"", tag)
    stale = get(server, path, 'If-None-Match: "another"')
    assert (stale.status, stale.content) == (200, fresh.content)


@pytest.mark.parametrize(
    ("taken", "sent"),
    [
        ("gzip, deflate, br", "gzip"),
        ("br, GZIP;q=0.5", "gzip"),
        ("gzip; q=0, *", "identity"),
        ("identity", "identity"),
        ("", "identity"),
    ],
)
def test_the_viewer_is_sent_in_the_coding_that_is_taken(taken: str, sent: str, server: LiveServer) -> None:
    """It is large, so it is sent compressed, and only once."""
    answer = get(server, VIEWER, f"Accept-Encoding: {taken}")
    assert answer.headers.get("content-encoding", "identity") == sent
    assert answer.headers["vary"] == "Accept-Encoding"
    assert len(answer.content) == int(answer.headers["content-length"])
    content = gzip.decompress(answer.content) if sent == "gzip" else answer.content
    assert content == (ROOT / "app" / "web" / "vendor" / "scalar.js").read_bytes()
    again = get(server, VIEWER, f"Accept-Encoding: {taken}", f"If-None-Match: {answer.headers['etag']}")
    assert (again.status, again.content) == (304, b"")


def test_the_document_is_valid_openapi_3_2(server: LiveServer) -> None:
    """By a third-party validator."""
    document = yaml.safe_load(get(server, "/openapi.yaml").content)
    assert document["openapi"] == "3.2.0"
    validate(document, cls=OpenAPIV32SpecValidator)


def test_the_derived_document_is_valid_openapi_3_1(server: LiveServer) -> None:
    """For tools that refuse 3.2, with the same paths and schemas.

    Only `HEAD`, which no SDK needs, and other protocols, which have SDKs, are omitted.
    """
    derived = json.loads(get(server, "/openapi-3.1.json").content)
    assert derived["openapi"] == "3.1.1"
    validate(derived, cls=OpenAPIV31SpecValidator)
    assert derived["paths"].keys() == {path for path in DOCUMENT["paths"] if not path.startswith(("/v1/", UI, AG_UI))}
    names = DOCUMENT["components"]["schemas"].keys() - {"ReplyStream"}
    schemas = {name for name in names if not re.search(FOREIGN, name)} | {"KnownProblemType"}
    assert derived["components"]["schemas"].keys() == schemas
    assert not re.search(FOREIGN, json.dumps(derived["components"]))


def test_the_document_is_closed_in_what_it_takes_and_open_in_what_it_gives() -> None:
    """A misspelt field in a request is found; today's clients can read what a later version sends.

    Another protocol's requests are open, as its clients expect.
    """
    schemas = DOCUMENT["components"]["schemas"]
    taken = [
        content["schema"]["$ref"].rpartition("/")[2]
        for body in DOCUMENT["components"]["requestBodies"].values()
        for content in body["content"].values()
        if not re.search(FOREIGN, content["schema"]["$ref"])
    ]
    objects = {name: schema for name, schema in schemas.items() if "properties" in schema}
    assert {name for name, schema in objects.items() if "additionalProperties" in schema} == set(taken)
    assert not any(schemas[name]["additionalProperties"] for name in taken)
    for name in ("ProblemType", "FinishReason"):
        known, any_other = schemas[name]["anyOf"]
        assert {"enum"} == known.keys() - any_other.keys() - {"pattern"}
    assert schemas["ReplyEvent"]["anyOf"][-1] == {"$ref": "#/components/schemas/OtherEvent"}
    assert "discriminator" not in str(DOCUMENT)  # tools that do not know the others' names fail on it


def test_the_page_refers_to_nothing_on_another_host(server: LiveServer) -> None:
    """It loads everything from here, and its policy keeps the browser from anything else."""
    answer = get(server, "/docs")
    page = answer.content.decode()
    assert not re.search(r"(https?:)?//[a-z]", re.sub("<!--.*?-->", "", page, flags=re.DOTALL))
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    sources = {source for rule in policy.split(";") for source in rule.split()[1:] if not source.startswith("'nonce-")}
    assert sources == {"'none'", "'self'", "data:"}
    for address in re.findall(r'(?:src|href)="([^"]*)"', page):
        assert address == "data:," or get(server, f"/{address.removeprefix('./')}").status == 200


def test_other_peoples_code_is_what_its_list_says() -> None:
    """Byte for byte, and with its licence."""
    folder = ROOT / "app" / "web" / "vendor"
    rows = re.findall(
        r"^\| `([^`]+)` .*see `([^`]+)` \| `([0-9a-f]{64})` \|$", (folder / "README.md").read_text(), re.MULTILINE
    )
    assert {name for name, _, _ in rows} == {str(file.relative_to(folder)) for file in folder.rglob("*.js")}
    for name, licence, digest in rows:
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
        assert "Permission is hereby granted" in (folder / licence).read_text()
