"""How an issuer's keys are fetched, kept and renewed, whatever the issuer does."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler

import anyio
import pytest

from app.access import tokens
from app.access.grants import Grant
from app.access.issuers import Issuer as TrustedIssuer
from app.access.tokens import TokenVerifier
from app.chat.errors import AccessUnavailable
from tests.support.issuer import (
    AUDIENCE,
    NAME,
    Handler,
    Issuer,
    SigningKey,
    answer,
    ec_key,
    ed25519_key,
    endless,
    good_claims,
    hmac_with,
    rsa_key,
    signed,
)


@asynccontextmanager
async def _verifier(issuer: Issuer, keys_seconds: float = 0, pause_seconds: float = 0) -> AsyncIterator[TokenVerifier]:
    """One that asks the issuer with each token, if it is not to wait for longer."""
    trusted = TrustedIssuer(NAME, AUDIENCE, issuer.url, ["RS256", "ES256", "EdDSA"], keys_seconds, pause_seconds)
    with anyio.fail_after(60):
        yield TokenVerifier(trusted)


async def _opens(verify: TokenVerifier, key: SigningKey) -> bool:
    return await verify(key.token()) is not None


async def test_a_new_key_is_taken_as_soon_as_a_token_bears_its_name() -> None:
    """Without waiting until the old keys expire; one unknown key id triggers a request, others wait for it."""
    with Issuer(rsa_key()) as issuer:
        async with _verifier(issuer, keys_seconds=3600, pause_seconds=3600) as verify:
            assert await _opens(verify, rsa_key())
            issuer.keys.append(ec_key())
            assert not await _opens(verify, ec_key())  # the issuer is not asked for every made-up key id
            assert issuer.asked == 1
        async with _verifier(issuer, keys_seconds=3600) as verify:
            issuer.keys.remove(ec_key())
            assert await _opens(verify, rsa_key())
            issuer.keys.append(ec_key())
            assert await _opens(verify, ec_key())
            assert issuer.asked == 3
            assert await _opens(verify, rsa_key())
            assert issuer.asked == 3


async def test_a_key_that_is_withdrawn_opens_nothing_any_more() -> None:
    """And what it has opened is closed; other keys stay valid."""
    with Issuer(rsa_key(), ec_key()) as issuer:
        async with _verifier(issuer) as verify:
            token, other = rsa_key().token(), ec_key().token()
            opened, kept = await verify(token), await verify(other)
            assert isinstance(opened, Grant)
            assert isinstance(kept, Grant)
            over = asyncio.Event()
            opened.listen(over.set)
            issuer.keys.remove(rsa_key())
            assert await verify(token) is None
            assert over.is_set()
            assert opened.is_over
            assert not kept.is_over
            assert await verify(other) is kept
            opened.unlisten(over.set)


async def test_a_key_that_is_withdrawn_closes_what_waited_for_it() -> None:
    """Of two requests with one token, both."""
    reached, freed = threading.Event(), threading.Event()

    with Issuer(rsa_key()) as issuer:

        def hold(request: BaseHTTPRequestHandler) -> None:
            reached.set()
            freed.wait(20)
            answer(json.dumps({"keys": [key.jwk for key in issuer.keys]}).encode())(request)

        async with _verifier(issuer, keys_seconds=3600) as verify:
            assert await _opens(verify, rsa_key())
            issuer.keys.append(ec_key())
            issuer.handler = hold
            token = ec_key().token()
            both = [asyncio.ensure_future(verify(token)) for _ in range(2)]
            await asyncio.to_thread(reached.wait, 20)
            freed.set()
            one, other = await asyncio.gather(*both)
            assert isinstance(one, Grant)
            assert isinstance(other, Grant)
            issuer.keys.remove(ec_key())
            assert not await _opens(verify, ed25519_key())  # so the issuer is asked
            assert one.is_over
            assert other.is_over


async def test_a_key_that_is_withdrawn_closes_what_many_others_have_come_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not all tokens are remembered for as long as a stream is open."""
    monkeypatch.setattr(tokens, "_MOST_TOKENS", 2)
    with Issuer(rsa_key(), ec_key()) as issuer:
        async with _verifier(issuer, keys_seconds=3600) as verify:
            opened = await verify(rsa_key().token())
            assert isinstance(opened, Grant)
            others = [await verify(ec_key().token(good_claims(str(n)))) for n in range(3)]
            issuer.keys.remove(rsa_key())
            assert not await _opens(verify, ed25519_key())  # so the issuer is asked
            assert opened.is_over
            assert not any(other is None or other.is_over for other in others)


async def test_another_key_under_an_old_name_is_another_key() -> None:
    """Issuers should not do that, but if one does, it is intended."""
    with Issuer(rsa_key("same")) as issuer:
        async with _verifier(issuer) as verify:
            token = rsa_key("same").token()
            opened = await verify(token)
            assert isinstance(opened, Grant)
            issuer.keys[:] = [ec_key("same")]
            assert await verify(token) is None
            assert opened.is_over
            assert await _opens(verify, ec_key("same"))


async def test_an_issuer_that_comes_up_late_is_asked_again() -> None:
    """Until then, tokens cannot be verified."""
    with Issuer() as issuer:
        pass
    async with _verifier(issuer) as verify:
        for _ in range(2):
            with pytest.raises(AccessUnavailable):
                await verify(rsa_key().token())
        with Issuer(rsa_key(), port=issuer.port):
            assert await _opens(verify, rsa_key())


async def test_the_keys_that_were_had_go_on_while_the_issuer_is_down() -> None:
    """The issuer's outage is not ours. When it is back, what it has withdrawn meanwhile is invalid."""
    with Issuer() as issuer:
        pass
    async with _verifier(issuer) as verify:
        with Issuer(rsa_key(), port=issuer.port):
            assert await _opens(verify, rsa_key())
        for _ in range(3):
            assert await _opens(verify, rsa_key())
        with Issuer(ec_key(), port=issuer.port):
            assert not await _opens(verify, rsa_key())
            assert await _opens(verify, ec_key())


async def test_an_issuer_that_does_not_answer_holds_up_only_who_needs_it() -> None:
    """A stranger with a made-up key id must not make everybody wait."""
    reached, freed = threading.Event(), threading.Event()

    def hang(request: BaseHTTPRequestHandler) -> None:
        reached.set()
        freed.wait(20)
        answer(b"")(request)

    with Issuer(rsa_key()) as issuer:
        async with _verifier(issuer, keys_seconds=3600) as verify:
            assert await _opens(verify, rsa_key())
            issuer.handler = hang
            stranger = asyncio.ensure_future(verify(ec_key().token()))
            await asyncio.to_thread(reached.wait, 20)
            for _ in range(100):
                assert await _opens(verify, rsa_key())
            assert not stranger.done()
            freed.set()
            assert await stranger is None


_JUNK: dict[str, Handler] = {
    "nothing": answer(b""),
    "no JSON": answer(b"<html>"),
    "no text": answer(b"\xff\xfe"),
    "a list": answer(b"[]"),
    "null": answer(b"null"),
    "no keys": answer(b"{}"),
    "keys that are no list": answer(b'{"keys": {"kid": "rsa"}}'),
    "keys that are none": answer(b'{"keys": [1, "x", null, []]}'),
    "names that are none": answer(b'{"keys": [{"kty": "RSA", "kid": ["rsa"]}]}'),
    "deep brackets": answer(b"[" * 100_000),
    "many digits": answer(b"9" * 100_000),
    "a failure": answer(json.dumps({"keys": [rsa_key().jwk]}).encode(), 500),
    "a redirect": answer(json.dumps({"keys": [rsa_key().jwk]}).encode(), 302, location="http://127.0.0.1:1/keys"),
    "half of it": answer(b'{"keys": [', content_length="9999"),
    "compressed": answer(b"\x1f\x8b\x08\x00", content_encoding="gzip"),
    "without end": endless,
}


@pytest.mark.parametrize("what", _JUNK)
async def test_an_issuer_that_talks_nonsense_is_as_good_as_down(what: str) -> None:
    """Whatever it sends; known keys stay valid."""
    with Issuer(rsa_key()) as issuer:
        issuer.handler = _JUNK[what]
        async with _verifier(issuer) as verify:
            with pytest.raises(AccessUnavailable):
                await verify(rsa_key().token())
            issuer.handler = None
            assert await _opens(verify, rsa_key())
            issuer.handler = _JUNK[what]
            assert await _opens(verify, rsa_key())
            assert not await _opens(verify, ec_key())


@pytest.mark.parametrize(
    "jwk",
    [
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "oct", "k": "c2VjcmV0", "alg": "RS256"},
        {"kty": "RSA"},
        {"kty": "RSA", "n": 1, "e": []},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"kty": ["RSA"]},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "RSA", "alg": ["RS256"]},
        {"kty": "RSA", "alg": "none"},
        pytest.param(rsa_key().jwk | {"use": "enc"}, id="a good one, for encryption"),
    ],
    ids=str,
)
async def test_a_published_key_that_is_none_opens_nothing(jwk: dict[str, object]) -> None:
    """The other keys still work."""
    broken = SigningKey("broken", "RS256", rsa_key().private, jwk | {"kid": "broken"})
    with Issuer(broken, ec_key()) as issuer:
        async with _verifier(issuer) as verify:
            for token in (
                broken.token(),
                signed({"alg": "HS256", "kid": "broken"}, good_claims(), hmac_with(b"secret")),
            ):
                assert await verify(token) is None
            assert await _opens(verify, ec_key())


async def test_a_token_is_verified_once() -> None:
    """A repeated token gets the same grant: a stream and a request with one token share it."""
    with Issuer(ed25519_key()) as issuer:
        async with _verifier(issuer, keys_seconds=3600) as verify:
            token = ed25519_key().token()
            opened = await verify(token)
            assert await verify(token) is opened
