"""What the service serves in addition to its operations: the chat page, the contract, and the API reference."""

import asyncio
import gzip
import hashlib
import secrets
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

from app.contract import Contract

_WEB = Path(__file__).parent.parent / "web"

_CHAT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Content Security Policy, level 3: nothing from other hosts, nothing injected into the page, no HTML from strings."""

_DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'nonce-{nonce}'; connect-src 'self'; img-src 'self' data:; "
    "font-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""As above, as far as the viewer works with it."""

_PIECE_BYTES = 2**16
_MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@cache
def document_routes(contract: Contract) -> tuple[Route, ...]:
    """Routes for `/` and what it loads, `/openapi.yaml`, `/openapi.json`, `/openapi-3.1.json` and `/docs`.

    Read once in a process, like the contract: they depend on nothing else, and keep nothing of a request.
    """
    chat = [file for file in sorted((_WEB / "page").iterdir()) if file.suffix in _MEDIA_TYPES]
    vendor = _WEB / "vendor"
    vendored = [vendor / "eventsource-parser.js", vendor / "marked.js", *sorted((vendor / "modes").iterdir())]
    return (
        _page("/", _WEB / "page" / "index.html", _CHAT_POLICY),
        *[_file(f"/page/{file.name}", file) for file in chat],
        *[_file(f"/vendor/{file.relative_to(vendor)}", file) for file in vendored],
        _document("/openapi.yaml", contract.text.encode(), "application/yaml"),
        _document("/openapi.json", contract.json.encode(), "application/json"),
        _document("/openapi-3.1.json", contract.derived_json.encode(), "application/json"),
        _page("/docs", _WEB / "docs.html", _DOCS_POLICY),
        *[_file(f"/docs/{name}", _WEB / name) for name in ("header.css", "servers.js", "styles.js")],
        _large("/docs/scalar.js", _WEB / "vendor" / "scalar.js", "text/javascript"),
    )


def _file(path: str, file: Path) -> Route:
    return _document(path, file.read_bytes(), _MEDIA_TYPES[file.suffix])


def _document(path: str, body: bytes, media_type: str) -> Route:
    tag = _tag(body)
    headers = {"ETag": tag, "Cache-Control": "no-cache"}

    async def serve(request: Request) -> Response:
        if _has(request, tag):
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type=media_type)

    return Route(path, serve)


def _large(path: str, file: Path, media_type: str) -> Route:
    """A file that is compressed when it is first requested, and then kept like that, at a quarter of its size."""

    @cache
    def packed() -> tuple[str, memoryview]:
        body = file.read_bytes()
        return _tag(body), memoryview(gzip.compress(body, mtime=0))

    async def serve(request: Request) -> Response:
        tag, body = await asyncio.to_thread(packed)
        headers = {"ETag": f"W/{tag}", "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if _has(request, tag):
            return Response(status_code=304, headers=headers)
        if not _takes_gzip(request):
            return FileResponse(file, headers=headers, media_type=media_type)
        headers |= {"Content-Encoding": "gzip", "Content-Length": str(len(body))}
        return StreamingResponse(_pieces(body), headers=headers, media_type=media_type)

    return Route(path, serve)


async def _pieces(body: memoryview) -> AsyncIterator[memoryview]:
    for start in range(0, len(body), _PIECE_BYTES):
        yield body[start : start + _PIECE_BYTES]


def _takes_gzip(request: Request) -> bool:
    for coding in request.headers.get("accept-encoding", "").lower().split(","):
        name, _, quality = coding.replace(" ", "").partition(";q=")
        if name == "gzip":
            return quality not in {"0", "0.0", "0.00", "0.000"}
    return False


def _tag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def _has(request: Request, tag: str) -> bool:
    """Whether the client says that it has this already."""
    known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
    return bool(known & {tag, "*"})


def _page(path: str, file: Path, policy: str) -> Route:
    text = file.read_text("utf-8")

    async def serve(_: Request) -> Response:
        nonce = secrets.token_urlsafe(16)
        headers = {"Cache-Control": "no-store", "Content-Security-Policy": policy.format(nonce=nonce)}
        return Response(text.replace("{nonce}", nonce), headers=headers, media_type="text/html")

    return Route(path, serve)
