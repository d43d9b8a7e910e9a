"""A token issuer: a real HTTP server that publishes real keys, correctly or not, and signs anything with them."""

import base64
import hashlib
import hmac
import json
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

NAME = "https://issuer.example/"
AUDIENCE = "chat"

Handler = Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One of the issuer's keys, with its published id."""

    kid: str
    algorithm: str
    private: Any
    jwk: dict[str, Any]

    def token(self, claims: Mapping[str, Any] | str | None = None, **header: object) -> str:
        """A token with these claims or valid ones; additional header fields may contradict the signature."""
        algorithm = jwt.get_algorithm_by_name(self.algorithm)
        said = {"alg": self.algorithm, "kid": self.kid, "typ": "JWT"} | header
        return signed(said, claims or good_claims(), lambda data: algorithm.sign(data, self.private))

    @property
    def public_pem(self) -> bytes:
        """The public key in PEM format."""
        pem: bytes = self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return pem


@cache
def rsa_key(kid: str = "rsa", algorithm: str = "RS256") -> SigningKey:
    """An RSA key, published without its algorithm."""
    private = rsa.generate_private_key(65_537, 2048)
    return SigningKey(kid, algorithm, private, _published(kid, RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)))


@cache
def ec_key(kid: str = "ec") -> SigningKey:
    """A key on the curve P-256."""
    private = ec.generate_private_key(ec.SECP256R1())
    jwk = ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
    return SigningKey(kid, "ES256", private, _published(kid, jwk) | {"alg": "ES256"})


@cache
def ed25519_key(kid: str = "ed") -> SigningKey:
    """An Ed25519 key."""
    private = ed25519.Ed25519PrivateKey.generate()
    jwk = OKPAlgorithm.to_jwk(private.public_key(), as_dict=True)
    return SigningKey(kid, "EdDSA", private, _published(kid, jwk) | {"use": "sig"})


def good_claims(subject: str = "somebody", seconds: float = 600) -> dict[str, Any]:
    """Claims that are valid for this long."""
    return {"iss": NAME, "aud": AUDIENCE, "sub": subject, "exp": time.time() + seconds}


def without(name: str) -> dict[str, Any]:
    """Valid claims except one, which is left out."""
    return {claim: value for claim, value in good_claims().items() if claim != name}


def signed(
    header: Mapping[str, object], claims: Mapping[str, object] | str, sign: Callable[[bytes], bytes] | None
) -> str:
    """A token without a library's checks. The claims may be any text, even invalid JSON."""
    text = claims if isinstance(claims, str) else json.dumps(claims)
    data = f"{encoded(json.dumps(header).encode())}.{encoded(text.encode())}"
    return f"{data}.{encoded(sign(data.encode())) if sign else ''}"


def hmac_with(secret: bytes) -> Callable[[bytes], bytes]:
    """A function that signs with a secret (HS256)."""
    return lambda data: hmac.digest(secret, data, hashlib.sha256)


def encoded(data: bytes) -> str:
    """Base64url without padding, as in tokens."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Issuer:
    """The server. A context manager."""

    def __init__(self, *keys: SigningKey, port: int = 0, context: ssl.SSLContext | None = None) -> None:
        """Those keys are published, until others are. With a `context`, it speaks TLS."""
        self._context = context
        self.keys = list(keys)
        self.handler: Handler | None = None
        """Handles requests instead of publishing the keys, if set."""
        self.asked = 0
        self.port = port
        self._server: ThreadingHTTPServer

    def __enter__(self) -> Self:
        issuer = self

        class Listener(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                (issuer.handler or issuer._publish)(self)

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Listener)
        if self._context is not None:
            self._server.socket = self._context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=[0.01], name="issuer", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """The URL of its keys."""
        return f"http://127.0.0.1:{self.port}/keys"

    def _publish(self, request: BaseHTTPRequestHandler) -> None:
        answer(json.dumps({"keys": [key.jwk for key in self.keys]}).encode())(request)


def answer(body: bytes, status: int = 200, **headers: str) -> Handler:
    """A handler with a fixed response."""

    def handle(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in ({"content_length": str(len(body))} | headers).items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body)

    return handle


def endless(request: BaseHTTPRequestHandler) -> None:
    """A handler with an endless response."""
    request.send_response(200)
    request.end_headers()
    try:
        while True:
            request.wfile.write(b'{"keys": [' + b" " * 2**16)
    except OSError:
        pass  # the client has disconnected


def _published(kid: str, jwk: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in jwk.items() if name not in {"key_ops", "alg"}} | {"kid": kid}
