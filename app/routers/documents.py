"""What the service serves in addition to its operations: the chat page, the contract, and the API reference."""

import hashlib
import secrets
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
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

_MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def document_routes(contract: Contract) -> list[Route]:
    """Routes for `/` and what it loads, `/openapi.yaml`, `/openapi.json`, `/openapi-3.1.json` and `/docs`."""
    chat = [file for file in sorted((_WEB / "page").iterdir()) if file.suffix in _MEDIA_TYPES]
    vendor = _WEB / "vendor"
    vendored = [vendor / "eventsource-parser.js", vendor / "marked.js", *sorted((vendor / "modes").iterdir())]
    return [
        _page("/", _WEB / "page" / "index.html", _CHAT_POLICY),
        *[_document(f"/page/{file.name}", file.read_text("utf-8"), _MEDIA_TYPES[file.suffix]) for file in chat],
        *[
            _document(f"/vendor/{file.relative_to(vendor)}", file.read_text("utf-8"), "text/javascript")
            for file in vendored
        ],
        _document("/openapi.yaml", contract.text, "application/yaml"),
        _document("/openapi.json", contract.json, "application/json"),
        _document("/openapi-3.1.json", contract.derived_json, "application/json"),
        _page("/docs", _WEB / "docs.html", _DOCS_POLICY),
        _document("/docs/header.css", (_WEB / "header.css").read_text("utf-8"), "text/css"),
        _document("/docs/servers.js", (_WEB / "servers.js").read_text("utf-8"), "text/javascript"),
        _file("/docs/styles.js", _WEB / "styles.js"),
        _file("/docs/scalar.js", _WEB / "vendor" / "scalar.js"),
    ]


def _document(path: str, text: str, media_type: str) -> Route:
    body = text.encode()
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}

    async def serve(request: Request) -> Response:
        known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
        if known & {etag, "*"}:
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type=media_type)

    return Route(path, serve)


def _page(path: str, file: Path, policy: str) -> Route:
    text = file.read_text("utf-8")

    async def serve(_: Request) -> Response:
        nonce = secrets.token_urlsafe(16)
        headers = {"Cache-Control": "no-store", "Content-Security-Policy": policy.format(nonce=nonce)}
        return Response(text.replace("{nonce}", nonce), headers=headers, media_type="text/html")

    return Route(path, serve)


def _file(path: str, file: Path) -> Route:
    async def serve(_: Request) -> Response:
        return FileResponse(file, headers={"Cache-Control": "no-cache"})

    return Route(path, serve)
