"""What issuers really publish and send: each kind of set of keys and of token that there is, with real keys."""

import base64
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import anyio
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from app.access.grants import Grant
from app.access.issuers import Issuer as TrustedIssuer
from app.access.seldom import Seldom
from app.access.tokens import TokenVerifier
from app.chat.errors import AccessUnavailable
from tests.support.issuer import Handler, Issuer, SigningKey, answer, ec_key, ed25519_key, good_claims, rsa_key, signed

_ALL = ["RS256", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA"]
_GROUPS = [f"a-department-with-a-long-name-{n:03}/a-group-in-it" for n in range(200)]


def _verifier(issuer: Issuer, name: str = "https://issuer.example/", audience: str = "chat") -> TokenVerifier:
    return TokenVerifier(TrustedIssuer(name, audience, issuer.url, _ALL, keys_seconds=3600, pause_seconds=0))


async def _opened(verify: TokenVerifier, token: str) -> Grant | None:
    with anyio.fail_after(20):
        return await verify(token)


@cache
def _curve_key(curve: type[ec.EllipticCurve], algorithm: str) -> SigningKey:
    private = ec.generate_private_key(curve())
    return SigningKey(algorithm, algorithm, private, ECAlgorithm.to_jwk(private.public_key(), as_dict=True))


_VERSION_3, _VERSION_7 = bytes.fromhex("a003020102"), bytes.fromhex("a003020106")


def _published(key: SigningKey, **more: object) -> SigningKey:
    """The same key, as another issuer publishes it; `None` leaves something out."""
    jwk = {name: value for name, value in (key.jwk | more).items() if value is not None}
    return SigningKey(str(jwk.get("kid", "")), key.algorithm, key.private, jwk)


def _certificate(key: SigningKey) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.private.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key.private, hashes.SHA256())
    )
    return base64.b64encode(made.public_bytes(Encoding.DER)).decode()


def _odd_certificate(old: bytes, new: bytes, key: SigningKey) -> str:
    """One with other bytes, as a certificate of another kind has them."""
    made = base64.b64decode(_certificate(key))
    assert made.count(old) == 1
    return base64.b64encode(made.replace(old, new)).decode()


def _encrypting(kid: str) -> SigningKey:
    return _published(rsa_key("encrypting"), kid=kid, use="enc", alg="RSA-OAEP")


_KINDS: dict[str, tuple[str, dict[str, Any], dict[str, Any], list[SigningKey]]] = {
    "Keycloak": (
        "https://sso.example/realms/main",
        {"typ": "JWT"},
        {"aud": ["chat", "account"], "groups": _GROUPS, "azp": "front", "typ": "Bearer", "sid": "x"},
        [_encrypting("enc"), _published(rsa_key(), use="sig", alg="RS256")],
    ),
    "Entra ID": (
        "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
        {"typ": "JWT", "x5t": "x"},
        {"ver": "2.0", "tid": "9188040d", "nbf": 1, "iat": 1},
        [_published(rsa_key(), use="sig", x5t="x", issuer="https://login.microsoftonline.com/{tenantid}/v2.0")],
    ),
    "Auth0": (
        "https://tenant.eu.auth0.com/",
        {"typ": "at+jwt"},
        {"aud": ["chat", "https://tenant.eu.auth0.com/userinfo"], "sub": "auth0|688b"},
        [_published(rsa_key("next"), use="sig", alg="RS256"), _published(rsa_key(), use="sig", alg="RS256", x5t="x")],
    ),
    "Okta": (
        "https://tenant.okta.com/oauth2/default",
        {"typ": None},
        {"ver": 1, "jti": "AT.x", "cid": "x", "uid": "x", "scp": ["chat"]},
        [_published(rsa_key(), use="sig", alg="RS256")],
    ),
    "Cognito, an ID token": (
        "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_x",
        {"typ": None},
        {"token_use": "id", "cognito:groups": ["x"]},
        [_published(rsa_key("next"), use="sig", alg="RS256"), _published(rsa_key(), use="sig", alg="RS256")],
    ),
    "Google": (
        "https://accounts.google.com",
        {"typ": "JWT"},
        {"azp": "x.apps.googleusercontent.com", "email_verified": True, "sub": "110169484474386276334"},
        [_published(rsa_key("next"), use="sig", alg="RS256"), _published(rsa_key(), use="sig", alg="RS256")],
    ),
    "Zitadel": (
        "https://tenant.zitadel.cloud",
        {"typ": "JWT"},
        {"aud": ["chat", "254980364331671554"], "client_id": "x"},
        [_published(rsa_key(), use="sig", alg="RS256")],
    ),
    "Dex": (
        "https://dex.example/dex",
        {"typ": None},
        {"at_hash": "x", "sub": "CgcyMzQyNzQ5EgZnaXRodWI"},
        [_published(rsa_key(), use="sig", alg="RS256")],
    ),
    "Authentik": (
        "https://sso.example/application/o/chat/",
        {"typ": "JWT"},
        {"acr": "goauthentik.io/providers/oauth2/default", "groups": []},
        [_published(ec_key(), kid="rsa", use="sig", alg="ES256")],
    ),
    "Kubernetes": (
        "https://kubernetes.default.svc.cluster.local",
        {"typ": None},
        {"aud": ["chat"], "sub": "system:serviceaccount:default:front", "kubernetes.io": {"namespace": "default"}},
        [_published(rsa_key(), use="sig", alg="RS256")],
    ),
    "one that signs with ES512": ("https://a.example", {}, {}, [_curve_key(ec.SECP521R1, "ES512")]),
    "one that signs with ES384": ("https://a.example", {}, {}, [_curve_key(ec.SECP384R1, "ES384")]),
    "one that signs with EdDSA": ("https://a.example", {}, {}, [_published(ed25519_key(), alg="Ed25519")]),
    "two keys of one name, for two algorithms": (
        "https://a.example",
        {"kid": "same"},
        {},
        [
            _published(rsa_key("other"), kid="same", alg="RS512"),
            _encrypting("same"),
            _published(rsa_key(), kid="same", alg="RS256"),
        ],
    ),
    "two keys of one name, of two kinds": (
        "https://a.example",
        {"kid": "same"},
        {},
        [_published(ec_key(), kid="same"), _published(ed25519_key(), kid="same"), _published(rsa_key(), kid="same")],
    ),
    "two keys of one name and kind": (
        "https://a.example",
        {"kid": "same"},
        {},
        [_published(rsa_key("other"), kid="same"), _published(rsa_key(), kid="same")],
    ),
    "no names at all": ("https://a.example", {"kid": None}, {}, [_published(rsa_key(), kid=None)]),
    "a token without a name": ("https://a.example", {"kid": None}, {}, [ec_key(), rsa_key("other"), rsa_key()]),
    "a key without a name": ("https://a.example", {"kid": "rsa"}, {}, [_published(rsa_key(), kid=None)]),
    "an operation": ("https://a.example", {}, {}, [_published(rsa_key(), key_ops=["verify"])]),
    "a certificate alone": (
        "https://a.example",
        {},
        {},
        [_published(rsa_key(), n=None, e=None, x5c=[_certificate(rsa_key())])],
    ),
    "keys of the future": (
        "https://a.example",
        {},
        {},
        [
            SigningKey("rsa", "", None, {"kty": "AKP", "alg": "ML-DSA-65", "kid": "rsa", "pub": "x"}),
            SigningKey("rsa", "", None, {"kty": "OKP", "crv": "X25519", "kid": "rsa", "x": "AAAA"}),
            SigningKey("rsa", "", None, {"kty": "EC", "crv": "P-1024", "kid": "rsa", "x": "AAAA", "y": "AAAA"}),
            SigningKey("rsa", "", None, {"kid": "rsa"}),
            _published(rsa_key(), n=None, e=None, x5c=[_odd_certificate(_VERSION_3, _VERSION_7, rsa_key())]),
            rsa_key(),
        ],
    ),
}


@pytest.mark.parametrize("kind", _KINDS)
async def test_tokens_of_a_kind_of_issuer_are_taken(kind: str) -> None:
    """The last of its keys has signed them. The issuer's name may be set with a slash at the end, or without."""
    name, header, claims, keys = _KINDS[kind]
    with Issuer(*keys) as issuer:
        said = {"kid": keys[-1].kid} | header
        token = _token(keys[-1], good_claims() | {"iss": name} | claims, said)
        for configured in (name.removesuffix("/"), name.removesuffix("/") + "/"):
            assert await _opened(_verifier(issuer, configured), token)
        forged = _token(rsa_key("stranger"), good_claims() | {"iss": name} | claims, said)
        assert await _opened(_verifier(issuer, name), forged) is None


def _token(key: SigningKey, claims: dict[str, Any], header: dict[str, Any]) -> str:
    """A token whose header has no more than it is given."""
    algorithm = jwt.get_algorithm_by_name(key.algorithm)
    said = {"alg": key.algorithm} | {name: value for name, value in header.items() if value is not None}
    return signed(said, claims, lambda data: algorithm.sign(data, key.private))


@cache
def _small_key() -> SigningKey:
    private = rsa.generate_private_key(65_537, 1024)  # noqa: S505 - that is the point
    return SigningKey("rsa", "RS256", private, RSAAlgorithm.to_jwk(private.public_key(), as_dict=True) | {"kid": "rsa"})


_UNFIT: dict[str, Callable[[], SigningKey]] = {
    "for encryption": lambda: _published(rsa_key(), use="enc"),
    "for another operation": lambda: _published(rsa_key(), key_ops=["encrypt"]),
    "for another algorithm": lambda: _published(rsa_key(), alg="RS512"),
    "on a curve that is not wanted": lambda: _curve_key(ec.SECP256K1, "ES256K"),
    "too small": _small_key,
}


@pytest.mark.parametrize("what", _UNFIT)
@pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")
async def test_a_key_that_is_not_for_this_opens_nothing(what: str) -> None:
    """Though its signature is right; neither by its name nor without one."""
    key = _UNFIT[what]()
    with Issuer(key, ed25519_key()) as issuer:
        for kid in (key.kid, None):
            assert await _opened(_verifier(issuer), _token(key, good_claims(), {"kid": kid})) is None
        assert await _opened(_verifier(issuer), ed25519_key().token())


async def test_a_key_that_has_changed_under_its_name_is_asked_for_once() -> None:
    """Some issuers give every key one name. Whoever sends bad signatures does not make us ask again and again."""
    with Issuer(_published(rsa_key("old"), kid="rsa")) as issuer:
        trusted = TrustedIssuer("https://issuer.example", "chat", issuer.url, _ALL, keys_seconds=3600, pause_seconds=0)
        verify = TokenVerifier(trusted)
        assert await _opened(verify, _published(rsa_key("old"), kid="rsa").token())
        issuer.keys[:] = [rsa_key()]
        assert await _opened(verify, rsa_key().token())
        assert issuer.asked == 2
        paused = TokenVerifier(TrustedIssuer("https://issuer.example", "chat", issuer.url, _ALL, 3600, 3600))
        for _ in range(5):
            assert await _opened(paused, _published(rsa_key("old"), kid="rsa").token()) is None
        assert issuer.asked == 3


_REASONS: dict[str, Callable[[], str]] = {
    "expired": lambda: rsa_key().token(good_claims(seconds=-100)),
    "not-yet-valid": lambda: rsa_key().token(good_claims() | {"nbf": 2**40}),
    "audience": lambda: rsa_key().token(good_claims() | {"aud": "account"}),
    "issuer": lambda: rsa_key().token(good_claims() | {"iss": "https://secret.example"}),
    "claim-missing": lambda: rsa_key().token({"iss": "https://issuer.example/", "aud": "chat", "exp": 2**40}),
    "signature": lambda: _published(rsa_key("other"), kid="rsa").token(),
    "algorithm": lambda: _curve_key(ec.SECP256K1, "ES256K").token(),
    "unknown-key": lambda: ed25519_key("secret").token(),
    "type": lambda: rsa_key().token(typ="logout+jwt"),
    "malformed": lambda: "a.b.c",
    "too-long": lambda: rsa_key().token(good_claims() | {"secret": "x" * 70_000}),
}


@pytest.mark.parametrize("reason", _REASONS)
async def test_the_log_says_why_a_token_was_refused(reason: str, caplog: pytest.LogCaptureFixture) -> None:
    """Once in a while, with how many there were; and nothing of the token."""
    caplog.set_level(logging.INFO)
    token = _REASONS[reason]()
    with Issuer(rsa_key()) as issuer:
        verify = _verifier(issuer)
        for _ in range(20):
            assert await _opened(verify, token) is None
    (told,) = [record.getMessage() for record in caplog.records if "refused" in record.getMessage()]
    assert told.startswith(f"a JSON Web Token was refused: {reason} (count=1)")
    assert "secret" not in told


def test_what_occurs_often_is_told_seldom() -> None:
    """Each reason for itself, and with the number that was left out."""
    now = 0.0
    seldom = Seldom(60, lambda: now)
    assert [seldom.count("expired") for _ in range(3)] == [1, 0, 0]
    assert seldom.count("issuer") == 1
    now = 59.9
    assert seldom.count("expired") == 0
    now = 60
    assert seldom.count("expired") == 4
    assert seldom.count("issuer") == 1


def _discovery(request: Any) -> None:  # noqa: ANN401 - the server's
    answer(json.dumps({"issuer": "x", "jwks_uri": "https://issuer.example/keys"}).encode())(request)


_ANSWERS: dict[str, tuple[Handler, str]] = {
    "not found": (answer(b"", 404), "it answered 404. Next: check CHAT_JWT_KEYS_URL"),
    "an error": (answer(b"secret", 500), "it answered 500. Next: "),
    "a redirect": (
        answer(b"", 302, location="/secret"),
        "it answered 302, a redirect, which is not followed. Next: set",
    ),
    "a page": (answer(b"<!doctype html><p>secret"), "its answer is a page. Next: "),
    "no JSON": (answer(b"secret"), "its answer is not JSON. Next: "),
    "the issuer's configuration": (_discovery, "its answer is the issuer's configuration. Next: set CHAT_JWT_KEYS_URL"),
    "no set": (answer(b'{"secret": 1}'), "its answer is no set of keys. Next: "),
    "an empty set": (answer(b'{"keys": []}'), "none of its 0 keys verifies signatures. Next: "),
    "keys for encryption": (
        answer(json.dumps({"keys": [rsa_key().jwk | {"use": "enc"}]}).encode()),
        "none of its 1 keys",
    ),
}


@pytest.mark.parametrize("what", _ANSWERS)
async def test_the_log_says_why_there_are_no_keys(what: str, caplog: pytest.LogCaptureFixture) -> None:
    """Once, and once more when there are: whoever corrects it sees that it works."""
    caplog.set_level(logging.INFO)
    handler, expected = _ANSWERS[what]
    with Issuer(rsa_key()) as issuer:
        issuer.handler = handler
        verify = _verifier(issuer)
        for _ in range(5):
            with pytest.raises(AccessUnavailable):
                await _opened(verify, rsa_key().token())
        issuer.handler = None
        assert await _opened(verify, rsa_key().token())
    failed, again = [
        record.getMessage() for record in caplog.records if "the token issuer's keys" in record.getMessage()
    ]
    assert failed.startswith(f"the token issuer's keys are not available: {expected}")
    assert again == "the token issuer's keys are available again: 1"
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:1/keys", "it cannot be reached. Next: check that it runs, or check CHAT_JWT_KEYS_URL"),
        ("http://nowhere.invalid/keys", "its host name is not known. Next: check CHAT_JWT_KEYS_URL"),
        ("https://127.0.0.1:{port}/keys", "it does not speak TLS. Next: check CHAT_JWT_KEYS_URL"),
    ],
)
async def test_the_log_says_why_an_issuer_cannot_be_reached(
    url: str, expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    """And not only that it cannot."""
    caplog.set_level(logging.WARNING)
    with Issuer(rsa_key()) as issuer:
        trusted = TrustedIssuer("x", "chat", url.format(port=issuer.port), _ALL)
        with pytest.raises(AccessUnavailable):
            await _opened(TokenVerifier(trusted), rsa_key().token())
    assert caplog.messages == [f"the token issuer's keys are not available: {expected}"]
