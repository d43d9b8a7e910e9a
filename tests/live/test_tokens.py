"""JSON Web Tokens from a real issuer: only a token that is valid in every respect opens anything, while it is valid."""

import json
import time
from collections.abc import Callable, Iterator

import pytest

from generated.models import Problem
from tests.support.addresses import BOTH, CHAT, events_of
from tests.support.issuer import (
    AUDIENCE,
    NAME,
    Issuer,
    SigningKey,
    ec_key,
    ed25519_key,
    encoded,
    good_claims,
    hmac_with,
    rsa_key,
    signed,
)
from tests.support.server import LiveServer
from tests.support.wire import Answer, Wire, get, post

_INVALID = 'Bearer realm="chat", error="invalid_token"'
_KEYS = [rsa_key(), rsa_key("pss", "PS256"), ec_key(), ed25519_key()]
_STALLED = "/simulate stall_after=3\nhello there, my world"


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """A service that trusts an issuer with keys of all kinds."""
    with Issuer(*_KEYS) as issuer, trusting(issuer) as server:
        yield server


def trusting(issuer: Issuer) -> LiveServer:
    """A service that takes the issuer's tokens."""
    return LiveServer(jwt_issuer=NAME, jwt_audience=AUDIENCE, jwt_keys_url=issuer.url)


def _asked(server: LiveServer, token: str, path: str = "/api/conversations") -> Answer:
    with Wire(server.port) as wire:
        wire.send(get(path, {"Authorization": f"Bearer {token}"}))
        return wire.answer()


@pytest.mark.parametrize("key", _KEYS, ids=lambda key: key.algorithm)
def test_a_good_token_opens_its_subjects_conversations(server: LiveServer, key: SigningKey) -> None:
    """With any algorithm. Another subject of the same issuer is another principal; another token of the same is not."""
    signed = {"Authorization": f"Bearer {key.token(good_claims(key.kid))}"}
    with Wire(server.port) as wire:
        wire.send(post("hello", signed))
        answer = wire.answer()
        assert answer.transcript().text == "hello"
    place = events_of(answer.headers["reply-id"])
    assert _asked(server, key.token(good_claims(key.kid, 60)), place).transcript().text == "hello"
    assert _asked(server, key.token(good_claims("another")), place).problem_code() == "reply-not-found"


def _with(**claims: object) -> str:
    """A token that would be valid except for these claims."""
    return rsa_key().token(good_claims() | claims)


def _without(claim: str) -> str:
    return rsa_key().token({name: value for name, value in good_claims().items() if name != claim})


def _with_text(claim: str, text: str) -> str:
    """A token with a claim that is barely JSON."""
    return rsa_key().token(json.dumps(good_claims() | {claim: 0}).replace(f'"{claim}": 0', f'"{claim}": {text}'))


def _mangled(mangle: Callable[[str, str, str], str]) -> str:
    """A valid token, modified."""
    return mangle(*rsa_key().token().split("."))


_RSA = {"alg": "RS256", "kid": "rsa"}
_REFUSED: dict[str, Callable[[], str]] = {
    "no algorithm": lambda: signed({"alg": "none"}, good_claims(), None),
    "no algorithm, but a key": lambda: signed({"alg": "none", "kid": "rsa"}, good_claims(), None),
    "none in capitals": lambda: signed({"alg": "NONE", "kid": "rsa"}, good_claims(), None),
    "no signature": lambda: signed(_RSA, good_claims(), None),
    "HMAC with the public key": lambda: signed(_RSA | {"alg": "HS256"}, good_claims(), hmac_with(rsa_key().public_pem)),
    "HMAC with its number": lambda: signed(
        _RSA | {"alg": "HS256"}, good_claims(), hmac_with(rsa_key().jwk["n"].encode())
    ),
    "HMAC that calls itself RSA": lambda: signed(_RSA, good_claims(), hmac_with(rsa_key().public_pem)),
    "another key of that name": lambda: rsa_key("another").token(kid="rsa"),
    "an algorithm that is not wanted": lambda: rsa_key("rsa", "RS512").token(),
    "an algorithm that is not its own": lambda: rsa_key().token(alg="PS256"),
    "an algorithm of other keys": lambda: rsa_key().token(alg="ES256"),
    "a key of another kind": lambda: rsa_key().token(kid="ec"),
    "a key that is not published": lambda: rsa_key().token(kid="unheard of"),
    "a key that comes with it": lambda: rsa_key("own").token(jwk=rsa_key("own").jwk),
    "an address of a key": lambda: rsa_key("own").token(jku="http://127.0.0.1:1/keys", x5u="http://127.0.0.1:1/"),
    "an extension that must be known": lambda: rsa_key().token(crit=["exp"]),
    "a key's name that is no text": lambda: rsa_key().token(kid=["rsa"]),
    "an algorithm's name that is no text": lambda: rsa_key().token(alg=["RS256"]),
    "another issuer": lambda: _with(iss=NAME + "evil"),
    "another audience": lambda: _with(aud="mail"),
    "other audiences": lambda: _with(aud=["mail", AUDIENCE + " "]),
    "long over": lambda: _with(exp=time.time() - 600),
    "over for more than a minute": lambda: _with(exp=time.time() - 65),
    "not yet good": lambda: _with(nbf=time.time() + 90),
    "issued in the future": lambda: _with(iat=time.time() + 90),
    "without an end": lambda: _without("exp"),
    "without a subject": lambda: _without("sub"),
    "an empty subject": lambda: _with_text("sub", '""'),
    "a blank subject": lambda: _with_text("sub", '" "'),
    "without an issuer": lambda: _without("iss"),
    "without an audience": lambda: _without("aud"),
    "an end that is no number": lambda: _with(exp="soon"),
    "an end beyond all numbers": lambda: _with_text("exp", "1e999"),
    "an end that is none": lambda: _with_text("exp", "NaN"),
    "an end of many digits": lambda: _with_text("exp", "9" * 5_000),
    "a subject that is no text": lambda: _with(sub=["somebody"]),
    "a subject of half a character": lambda: _with_text("sub", '"\\ud800"'),
    "claims that are no object": lambda: rsa_key().token("[]"),
    "claims in deep brackets": lambda: rsa_key().token("[" * 5_000),
    "a logout token": lambda: rsa_key().token(typ="logout+jwt"),
    "a type that is no text": lambda: rsa_key().token(typ=["JWT"]),
    "half a signature": lambda: _mangled(lambda head, claims, signature: f"{head}.{claims}.{signature[:20]}"),
    "changed claims": lambda: _mangled(lambda head, _, signature: f"{head}.{encoded(b'{}')}.{signature}"),
    "four parts": lambda: _mangled(lambda *parts: ".".join([*parts, "x"])),
    "two parts": lambda: _mangled(lambda head, claims, _: f"{head}.{claims}"),
    "nothing but dots": lambda: "..",
    "no base64": lambda: "!.!.!",
    "a header that is no object": lambda: _mangled(lambda _, claims, rest: f"{encoded(b'[]')}.{claims}.{rest}"),
    "a header in deep brackets": lambda: _mangled(lambda _, claims, rest: f"{encoded(b'[' * 3_000)}.{claims}.{rest}"),
}


@pytest.mark.parametrize("what", _REFUSED)
def test_a_token_that_is_not_good_in_all_respects_is_refused(server: LiveServer, what: str) -> None:
    """Always with the same text: saying what is wrong would only help to forge one."""
    refused = _asked(server, _REFUSED[what]())
    assert (refused.status, refused.problem_code()) == (401, "invalid-token")
    assert refused.headers["www-authenticate"] == _INVALID


def test_clocks_may_differ(server: LiveServer) -> None:
    """Both ways, by up to a minute; a stream with such a token lasts as long as a request is let in with it."""
    for token in (_with(exp=time.time() - 40), _with(nbf=time.time() + 55), _with(iat=time.time() + 55)):
        assert _asked(server, token).status == 200
        with Wire(server.port) as wire:
            wire.send(post("hello", {"Authorization": f"Bearer {token}"}))
            assert wire.answer().transcript().text == "hello"


@pytest.mark.parametrize("path", BOTH)
def test_a_stream_ends_when_its_token_does(server: LiveServer, path: str) -> None:
    """With `failed`, or with 401 where nothing was sent yet. With a new token, the reply goes on where it was."""
    token = rsa_key().token(good_claims(seconds=-57))
    with Wire(server.port) as wire:
        wire.send(post(_STALLED, {"Authorization": f"Bearer {token}"}, path))
        answer = wire.answer()
    if path != CHAT:
        assert (answer.status, answer.problem_code()) == (401, "access-ended")
        assert answer.headers["www-authenticate"] == _INVALID
        return
    transcript = answer.transcript()
    assert isinstance(transcript.end, Problem)
    assert transcript.end.type == "urn:problem:access-ended"
    place = events_of(answer.headers["reply-id"])
    assert _asked(server, token, place).problem_code() == "invalid-token"
    with Wire(server.port) as wire:
        wire.send(get(place, {"Authorization": f"Bearer {rsa_key().token()}"}))
        for word in transcript.words:
            wire.receive_until(word.encode())


def test_while_the_issuer_cannot_be_asked_nobody_can_tell() -> None:
    """That is not the token's fault: 503, with Retry-After. Malformed tokens still get 401."""
    with Issuer() as issuer:
        pass
    with trusting(issuer) as server:
        for _ in range(2):
            answer = _asked(server, rsa_key().token())
            assert (answer.status, answer.problem_code()) == (503, "access-unavailable")
            assert 1 <= int(answer.headers["retry-after"]) <= 10
        assert _asked(server, "chat_x").problem_code() == "invalid-token"
